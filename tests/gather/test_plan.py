"""The walk decides what counts: it must not depend on which answer came first."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.gather.places import Places
from ozfig.gather.plan import Known, Walk
from ozfig.recipe import Website
from ozfig.web.extract import Page
from ozfig.web.robots import Rules
from ozfig.web.urls import Site

START = "http://y.example/"


def places():
    made = Places(Website(url=START), [START])
    made.add(Site.of(START, START))
    return made


def url(name):
    return START + name


def page(*names):
    return Known("page", Page("t", "text"), frozenset(map(url, names)))


def crawl(walk, site, order, at_once=1):
    """Ask as a crawl does: `at_once` under way, answers in the order that `order` picks; gives plan and requests."""
    known, under_way, asked = {}, [], []
    while True:
        for address in walk.plan(known).ask:
            if address not in under_way and len(under_way) < at_once:
                under_way.append(address)
                asked.append(address)
        if not under_way:
            return walk.plan(known), asked
        answered = under_way.pop(order() % len(under_way))
        known[answered] = site.get(answered, Known("failed", reason="404"))


NAMES = [f"{letter}{i}" for letter in "abc" for i in range(6)]
SITES = st.fixed_dictionaries(
    {
        name: st.one_of(
            st.none(),
            st.lists(st.sampled_from(NAMES), max_size=5).map(lambda names: page(*names)),
            st.sampled_from(NAMES).map(lambda name: Known("moved", target=url(name))),
        )
        for name in NAMES
    }
)


@settings(max_examples=150, deadline=None)
@given(
    SITES, st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 4), st.randoms()
)
def test_pages_depend_on_the_site_alone(site, first, most, depth, random):
    answers = {url(name): one for name, one in site.items() if one} | {START: page(*first)}
    walk = Walk(places(), most, depth, [START])
    one_by_one, _ = crawl(walk, answers, lambda: 0)
    many, asked = crawl(walk, answers, lambda: random.randrange(100), at_once=5)
    assert many == one_by_one
    assert len(asked) == len(set(asked))
    assert len(many.kept) <= most


def test_breadth_first_then_by_address():
    site = {START: page("b", "a"), url("a"): page("z"), url("b"): page("c"), url("z"): page(), url("c"): page()}
    plan, _ = crawl(Walk(places(), 4, 10, [START]), site, lambda: 0)
    assert plan.kept == [START, url("a"), url("b"), url("c")]
    assert plan.is_cut


def test_a_failing_page_makes_room_for_another():
    site = {START: page("a", "b", "c"), url("b"): page(), url("c"): page()}
    plan, asked = crawl(Walk(places(), 2, 10, [START]), site, lambda: 0)
    assert plan.kept == [START, url("b")]
    assert plan.others == [url("a")]
    assert url("c") not in asked


def test_what_a_sitemap_lists_is_not_capped():
    days = [f"day-{i}" for i in range(80)]
    site = {START: page(*days)} | {url(day): page() for day in days}
    capped, _ = crawl(Walk(places(), 100, 1, [START]), site, lambda: 0)
    assert len(capped.kept) == 51
    assert capped.capped == {"y.example/day-0": 30}
    listed = Walk(places(), 100, 1, [START], frozenset(map(url, days)))
    assert len(crawl(listed, site, lambda: 0)[0].kept) == 81


def test_what_robots_txt_closes_takes_no_room_whenever_it_is_read():
    """A page whose links were read before its host's robots.txt gives the plan of one that was read after it."""
    days = [f"day{i:03}" for i in range(80)]
    site = {START: page(*days), **{url(day): page() for day in days}}
    plans = []
    for early in (True, False):
        where = places()
        walk = Walk(where, max_pages=60, depth=3, starts=[START])

        def read_rules(where=where):
            where.rules["y.example"] = Rules("User-agent: *\nDisallow: /day00")
            return 0

        if early:
            read_rules()
        plans.append(crawl(walk, site, read_rules)[0])
    assert plans[0] == plans[1]
    assert url("day009") not in plans[0].kept + plans[0].others
    assert url("day059") in plans[0].kept
