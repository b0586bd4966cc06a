import asyncio
import time

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.gather import website
from ozfig.gather.website import crawl
from ozfig.recipe import Website
from ozfig.web import render

TEXT = "Words about the subject of this very page, enough of them to count as a page with text. " * 3


def body(name, *links, head=""):
    anchors = " ".join(f'<a href="{link}">to {link}</a>' for link in links)
    main = f"<main><h1>{name}</h1><p>{name}: {TEXT}</p></main>"
    return f"<html><head>{head}</head><body><nav>{anchors}</nav>{main}</body></html>"


@pytest.fixture
def tree(site):
    """A start page, ten pages below it, one below each of those."""
    site.page("/", body("Start", *(f"/p{i}" for i in range(10))))
    for i in range(10):
        site.page(f"/p{i}", body(f"Page {i}", f"/p{i}/deep", "/"))
        site.page(f"/p{i}/deep", body(f"Deep {i}"))
    return site


def uris(documents):
    return [d.uri.removeprefix("http://yard.example") for d in documents]


def run(site, **options):
    return crawl("http://yard.example/", **{"connect_to": site.address, "render": "never", **options})


def test_every_page_that_links_reach_once_and_sorted(tree):
    documents = run(tree)
    assert uris(documents) == sorted(["/", *(f"/p{i}" for i in range(10)), *(f"/p{i}/deep" for i in range(10))])
    assert len(set(tree.paths)) == len(tree.paths)
    assert {host for _, host in tree.asked} == {"yard.example"}
    assert documents[0].text.startswith("# Start")
    assert (documents[0].title, documents[0].source) == ("Start", "http://yard.example/")


def test_the_set_does_not_depend_on_the_order_of_answers(tree):
    first = run(tree, max_pages=7)
    tree.before = lambda path: time.sleep(0.05 if path in ("/p0", "/p3") else 0)
    assert run(tree, max_pages=7) == first
    assert uris(first) == ["/", "/p0", "/p1", "/p2", "/p3", "/p4", "/p5"]


def test_depth_ends_the_crawl(tree):
    assert len(run(tree, depth=0)) == 1
    assert len(run(tree, depth=1)) == 11


def test_a_loopback_address_needs_permission_and_shows_no_port(tree):
    with pytest.raises(UserError, match="allow_private"):
        crawl(tree.url + "/")
    documents = crawl(tree.url + "/", allow_private=True, render="never", depth=0)
    assert [d.uri for d in documents] == ["http://127.0.0.1/"]


def test_robots_txt_and_sitemaps_are_obeyed(site):
    robots = "User-agent: *\nDisallow: /staff/\nSitemap: http://yard.example/maps.xml"
    site.page("/robots.txt", robots, "text/plain")
    site.page("/maps.xml", "<sitemapindex><loc>http://yard.example/map.xml</loc></sitemapindex>", "text/xml")
    listed = "".join(f"<url><loc>http://{where}</loc></url>" for where in ("yard.example/lost", "other.example/x"))
    site.page("/map.xml", f"<urlset>{listed}</urlset>", "text/xml")
    site.page("/", body("Start", "/staff/pay", "/a.pdf"))
    site.page("/lost", body("Lost"))
    site.page("/staff/pay", body("Pay"))
    assert uris(run(site)) == ["/", "/lost"]
    assert not {"/staff/pay", "/a.pdf", "/x"} & set(site.paths)


def test_a_start_that_robots_txt_closes_is_explained(site):
    site.page("/robots.txt", "User-agent: *\nDisallow: /", "text/plain")
    with pytest.raises(UserError, match="robots"):
        run(site)


def test_redirects_copies_and_broken_links(site):
    site.page("/", body("Start", "/old", "/print", "/same", "/gone", "/away"))
    site.redirect("/old", "/new")
    site.redirect("/away", "http://other.example/")
    site.page("/new", body("New"))
    site.page("/print", body("New", head='<link rel="canonical" href="/new">'))
    site.page("/same", body("Start", "/old", "/print", "/same", "/gone", "/away"))
    section = Website(url="http://yard.example/", connect_to=site.address, render="never")
    gathered = website.gather(section, None)
    assert uris(gathered.documents) == ["/", "/new"]
    assert gathered.failed == ["http://yard.example/gone: 404"]
    assert gathered.counts["copies"] == 2


def test_a_wrong_canonical_link_loses_no_page(site):
    head = '<link rel="canonical" href="/">'
    site.page("/", body("Start", "/a", head=head))
    site.page("/a", f"<html><head>{head}</head><main><h1>Boats</h1><p>{'Sails, hulls and rigging. ' * 20}</p></main>")
    assert uris(run(site)) == ["/", "/a"]


@pytest.mark.parametrize(("status", "error"), [(404, UserError), (403, UserError), (503, OutsideError)])
def test_a_start_page_that_is_refused_is_one_clear_line(site, status, error, monkeypatch):
    monkeypatch.setattr(website, "Manners", lambda **options: website_manners(**options))
    site.page("/", "no", status=status)
    with pytest.raises(error, match=str(status)):
        run(site)


def website_manners(**options):
    from ozfig.web.fetch import Manners

    return Manners(backoff=0.01, **options)


def test_an_unreachable_start_is_an_outside_error(monkeypatch):
    monkeypatch.setattr(website, "Manners", lambda **options: website_manners(**options))
    with pytest.raises(OutsideError, match=r"no answer.*check the address"):
        crawl("http://yard.example/", connect_to="127.0.0.1:9")


def test_what_is_no_address_is_explained():
    with pytest.raises(UserError, match=r"https://example\.com/"):
        crawl("example.com")


def test_little_text_is_flagged_and_none_is_named(site):
    site.page("/", body("Start", "/short", "/empty", "/app"))
    site.page("/short", "<main><h1>Short</h1><p>Hardly a word.</p></main>")
    site.page("/empty", "<main></main>")
    site.page("/app", '<main><p>Loading</p></main><script src="app.js"></script>')
    gathered = website.gather(Website(url="http://yard.example/", connect_to=site.address, render="never"), None)
    notes = {d.uri.rsplit("/", 1)[1]: d.note for d in gathered.documents}
    assert notes[""] == ""
    assert "little text" in notes["short"]
    assert "JavaScript" in notes["app"]
    assert gathered.needs_browser == 1
    assert gathered.failed == ["http://yard.example/empty: no text"]


def test_a_block_that_most_pages_repeat_is_dropped(tree):
    for i in range(10):
        tree.page(
            f"/p{i}", f"<main><h1>Page {i}</h1><h2>Know</h2><p>Page {i}: {TEXT}</p><p>Call us any time.</p></main>"
        )
    documents = run(tree, depth=1)
    pages = [d.text for d in documents if d.uri.startswith("http://yard.example/p")]
    assert len(pages) == 10
    assert not any("Call us" in text for text in pages)
    assert all("## Know" in text for text in pages)


def test_a_folder_is_served_and_crawled_under_its_name(tmp_path):
    (tmp_path / "index.html").write_text(body("Start", "a.html"))
    (tmp_path / "a.html").write_text(body("A"))
    assert uris(crawl("http://yard.example/", serve=str(tmp_path), render="never")) == ["/", "/a.html"]


def test_it_works_inside_a_running_loop(tree):
    async def notebook():
        return run(tree, depth=0)

    assert len(asyncio.run(notebook())) == 1


@pytest.mark.skipif(bool(render.missing()), reason=f"no browser: {render.missing()}")
def test_pages_that_need_a_browser_are_rendered_and_their_routes_followed(site):
    app = (
        "<main></main><script>const name = location.hash || 'home';"
        f"document.querySelector('main').innerHTML = '<h1>' + name + '</h1><p>{TEXT}</p>"
        '<a href="#/guide">guide</a>\'</script>'
    )
    site.page("/", app)
    documents = run(site, render="auto")
    assert uris(documents) == ["/", "/#/guide"]
    assert [d.title for d in documents] == ["home", "#/guide"]
    assert not any(d.note for d in documents)


def test_a_real_documentation_site(data):
    site = data / "sites" / "docs_starlette_mkdocs"
    documents = crawl("http://www.starlette.io/", serve=str(site), render="never")
    assert len(documents) == 25
    routing = next(d for d in documents if d.uri.endswith("/routing/"))
    assert routing.text.startswith("# Routing\n\n## HTTP Routing")
    assert "```\nfrom starlette.applications import Starlette" in routing.text
    assert not any("Skip to content" in d.text or "base64," in d.text for d in documents)
