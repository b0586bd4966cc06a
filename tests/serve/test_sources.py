"""Where passages come from: pages behind a guard, the run's documents, and what the report says of these."""

import asyncio
import json
import socket
import time

import pytest

from ozfig.recipe import Serve, WebSearch
from ozfig.retrieval import index
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.rank import ranked
from ozfig.serve.documents import Documents, helps
from ozfig.serve.sources import Sources
from ozfig.web.providers import Result
from ozfig.web.search import Search

QUESTION = "How many tonnes can the hoist lift?"
PAGE = """<html><head><title>Tidewater yard</title></head><body><nav>Home Prices</nav><main><h1>The yard</h1>
<p>Dogs are welcome on a lead and stay out of the paint shop.</p><h2>Lifting</h2>
<p>The hoist lifts boats of up to forty tonnes. Book it five days ahead.</p></main></body></html>"""


class Listed:
    """A provider that always finds the same."""

    def __init__(self, *results):
        self.results = list(results)

    async def ask(self, query, most):
        return self.results[:most]


def find(*results, question=QUESTION, web=True, documents=None, private=True, **options):
    section = Serve(web=WebSearch(allow_private=private, **options))
    sources = Sources(section, documents, Search(section.web, {"listed": Listed(*results)}))
    return asyncio.run(sources.find(question, web, documents is not None))


def test_a_page_is_read_and_its_best_passage_comes_first(site):
    site.page("/yard", PAGE)
    found = find(Result("Yard", f"{site.url}/yard", "A yard."))
    assert found.sources[0].text == "The hoist lifts boats of up to forty tonnes. Book it five days ahead."
    assert (found.sources[0].number, found.sources[0].title, found.sources[0].kind) == (1, "The yard > Lifting", "web")
    assert found.sources[0].url == f"{site.url}/yard"
    assert found.provider == "listed"
    assert "Home Prices" not in found.context


def test_so_many_passages_as_the_recipe_wants(site):
    for i in range(6):
        site.page(f"/{i}", PAGE.replace("forty", str(i)))
    results = [Result(str(i), f"{site.url}/{i}", "") for i in range(6)]
    assert len(find(*results, results=3, passages=2).sources) == 2
    assert sorted(site.paths) == ["/0", "/1", "/2"]


def test_pages_are_read_once_for_a_while(site):
    site.page("/yard", PAGE)
    section = Serve(web=WebSearch(allow_private=True))
    sources = Sources(section, None, Search(section.web, {"x": Listed(Result("Yard", f"{site.url}/yard", ""))}))
    for question in (QUESTION, "Are dogs welcome?"):
        assert asyncio.run(sources.find(question, True, False)).sources
    assert site.paths == ["/yard"]


def test_private_addresses_are_not_read(site):
    site.page("/yard", PAGE)
    addresses = [site.url, "http://169.254.169.254", "http://10.0.0.1", "http://[::1]:80", "http://localhost:1"]
    found = find(*(Result("x", f"{url}/yard", "") for url in addresses), private=False, results=9)
    assert found.sources == ()
    assert sum("private or loopback" in note for note in found.notes) == len(addresses)
    assert site.asked == []


@pytest.fixture
def outside(monkeypatch):
    """127.0.0.1 stands for the open internet; every other address is what it is."""
    from ozfig.web.urls import is_public

    monkeypatch.setattr("ozfig.web.fetch.is_public", lambda number: number == "127.0.0.1" or is_public(number))


def test_a_redirect_into_the_network_is_not_followed(site, outside):
    port = site.server.server_address[1]
    site.page("/secret", "<main><p>The hoist's password is forty tonnes.</p></main>")
    site.redirect("/open", f"http://127.0.0.2:{port}/secret")
    found = find(Result("x", f"{site.url}/open", "The hoist"), private=False)
    assert site.paths == ["/open"]
    assert [source.text for source in found.sources] == ["The hoist"]
    assert "private or loopback" in found.notes[0]


def test_a_name_that_changes_its_address_is_looked_up_once(site, outside, monkeypatch):
    """DNS rebinding: what was checked is what is connected to."""
    looked_up = []
    real = asyncio.base_events.BaseEventLoop.getaddrinfo

    async def rebinding(loop, host, port, **options):
        if host != "evil.example":
            return await real(loop, host, port, **options)
        looked_up.append(host)
        number = "127.0.0.1" if len(looked_up) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 0))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", rebinding)
    port = site.server.server_address[1]
    site.redirect("/", f"http://evil.example:{port}/again")
    site.page("/again", PAGE)
    found = find(Result("x", f"http://evil.example:{port}/", ""), private=False)
    assert looked_up == ["evil.example"]
    assert found.sources
    assert site.asked == [("/", f"evil.example:{port}"), ("/again", f"evil.example:{port}")]


def test_pages_that_are_too_long_too_slow_or_no_pages_give_what_the_search_showed(site):
    site.page("/long", PAGE + "x" * 5000)
    site.page("/file", PAGE, "application/pdf")
    site.page("/gone", PAGE, status=404)
    site.page("/slow", PAGE)
    site.before = lambda path: time.sleep(20 * (path == "/slow"))
    began = time.monotonic()
    names = ["long", "file", "gone", "slow"]
    shown = [Result(name, f"{site.url}/{name}", f"The hoist lifts {name}.") for name in names]
    found = find(*shown, max_bytes=4000, timeout=0.4)
    assert time.monotonic() - began < 10
    assert {source.text for source in found.sources} == {f"The hoist lifts {name}." for name in names}
    for why in ("larger than", "not a page but", "status 404", "slow: "):
        assert any(why in note for note in found.notes), (why, found.notes)


def test_no_results_are_told():
    found = find()
    assert (found.sources, found.context) == ((), "")
    assert found.notes == ("listed: no results", "the web search found no results")


def test_ranking_is_by_words_and_meaning():
    assert ranked([], "x", 3) == []
    found = ranked([Passage("u", "", "!!! ???"), Passage("v", "Lift", "The hoist lifts forty tonnes.")], QUESTION, 3)
    assert [hit.passage.uri for hit in found] == ["v"]
    assert ranked([Passage("u", "", "…")], QUESTION, 3) == []


@pytest.fixture
def run(tmp_path):
    """A run's folder with an index and a report."""
    texts = {"Lifting": "The hoist lifts forty tonnes.", "Dogs": "Dogs are welcome.", "Fuel": "Diesel is sold."}
    passages = [Passage(f"http://yard.example/{name}", name, text, "yard") for name, text in texts.items()]
    index.build(passages, tmp_path / "prepare" / "index", "words")
    (tmp_path / "evaluate").mkdir()
    return tmp_path


def report(*rows):
    """Comparisons as report.json has them: (point, metric, low, high)."""
    across = {"task": "held_out", "condition": "closed_book->retrieved"}
    found = [
        {**across, "a": f"{p}@closed_book", "b": f"{p}@retrieved", "metric": m, "low": low, "high": high, "p": 0.01}
        for p, m, low, high in rows
    ]
    noise = {"task": "held_out", "condition": "closed_book", "a": "base", "b": "tuned", "metric": "token_f1", "low": 1}
    return {"comparisons": [noise, *found]}


def test_documents_are_found_before_pages(run, site):
    site.page("/yard", PAGE)
    found = find(Result("Yard", f"{site.url}/yard", ""), documents=Documents(run))
    assert [s.kind for s in found.sources][:2] == ["document", "web"]
    assert (found.sources[0].title, found.sources[0].url) == ("Lifting", "http://yard.example/Lifting")
    assert [s.number for s in found.sources] == list(range(1, len(found.sources) + 1))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([("tuned", "token_f1", 0.1, 0.3)], True),
        ([("tuned", "token_f1", -0.1, 0.3), ("tuned", "exact_match", 0.1, 0.2)], False),
        ([("tuned", "bertscore", 0.1, 0.2), ("tuned", "answer_words", -9, -8)], True),
        ([("quantised", "token_f1", -0.2, 0.1), ("tuned", "token_f1", 0.1, 0.3)], False),
        ([("base", "token_f1", 0.1, 0.3), ("tuned", "token_f1", -0.2, -0.1)], False),
        ([], False),
    ],
)
def test_the_report_decides(run, rows, wanted):
    (run / "evaluate" / "report.json").write_text(json.dumps(report(*rows)))
    assert helps(report(*rows)) is Documents(run).wanted is wanted


def test_an_interval_above_zero_with_a_large_p_does_not_decide():
    found = report(("tuned", "token_f1", 0.1, 0.3))
    found["comparisons"][1]["p"] = 0.125
    assert not helps(found)


def test_what_the_recipe_says_of_documents(run):
    assert not Documents(run, "auto").wanted
    assert Documents(run, "always").wanted
    never = Documents(run, "never")
    assert not never.wanted
    assert find(web=False, documents=never).notes == ("there are no documents here",)
    assert not Documents(None, "always").wanted
    assert find(web=False, question="zebra", documents=Documents(run)).notes == ("nothing in the documents fits",)


def test_a_conversation_s_switches_win(run):
    sources = Sources(Serve(web=WebSearch(chat=True)), Documents(run, "always"))
    assert sources.wants({}) == (True, True)
    assert sources.wants({"web": False, "documents": False}) == (False, False)
