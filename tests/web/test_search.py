"""Web search against loopback servers that speak the providers' protocols."""

import asyncio
import json
import time
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from ddgs.base import BaseSearchEngine
from ddgs.exceptions import RatelimitException, TimeoutException
from ddgs.results import TextResult

from ozfig.errors import OutsideError, RecipeError
from ozfig.recipe import WebSearch
from ozfig.recipes import parse
from ozfig.web import search as searching
from ozfig.web.cache import Cache
from ozfig.web.providers import Ddgs, DuckDuckGo, Limited, Result, SearXNG
from ozfig.web.search import Search

# the shape of https://api.duckduckgo.com/?q=...&format=json
INSTANT = {
    "Abstract": "A tide is the rise and fall of the sea.",
    "AbstractSource": "Wikipedia",
    "AbstractText": "A tide is the rise and fall of the sea.",
    "AbstractURL": "https://en.wikipedia.org/wiki/Tide",
    "Answer": "",
    "Definition": "",
    "DefinitionURL": "",
    "Heading": "Tide",
    "Results": [{"FirstURL": "https://tides.example/", "Result": "<a>", "Text": "Official site"}],
    "RelatedTopics": [
        {"FirstURL": "https://duckduckgo.com/Neap_tide", "Result": "<a>", "Text": "Neap tide - A small tide"},
        {"Name": "Other", "Topics": [{"FirstURL": "https://duckduckgo.com/Tide_(band)", "Text": "Tide - A band"}]},
        {"Name": "Broken", "Topics": [{"FirstURL": "javascript:alert(1)", "Text": "no address"}]},
    ],
    "Type": "A",
}
NOTHING = {**dict.fromkeys(INSTANT, ""), "Results": [], "RelatedTopics": [], "Answer": {"from": "a calculator"}}
SEARXNG = {
    "query": "tides",
    "results": [
        {"title": "Tides", "url": "https://a.example/tides", "content": "All about tides.", "engine": "x"},
        {"title": "No address", "url": "ftp://b.example/", "content": "?", "engine": "x"},
        {"title": "More", "url": "https://b.example/more", "content": None, "engine": "y"},
    ],
    "answers": [],
    "infoboxes": [],
}


@pytest.fixture
def says(site):
    """Let the site answer every request with one status, JSON and headers."""

    def answer(found, status=200, **headers):
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        kind = {"Content-Type": "application/x-javascript"}
        site.before = lambda path: site.answers.update({path: (status, kind | headers, body)})
        return site.url

    return answer


def ask(provider, most=8):
    return asyncio.run(provider.ask("tides", most))


def test_instant_answers(says, site):
    found = ask(DuckDuckGo(says(INSTANT) + "/", 20))
    assert found[0] == Result("Tide", "https://en.wikipedia.org/wiki/Tide", "A tide is the rise and fall of the sea.")
    assert [r.title for r in found] == ["Tide", "Official site", "Neap tide", "Tide"]
    asked = parse_qs(urlsplit(site.paths[0]).query)
    assert (asked["q"], asked["format"]) == (["tides"], ["json"])
    assert len(ask(DuckDuckGo(site.url + "/", 20), most=2)) == 2


def test_an_instant_answer_without_a_page_leads_to_the_search(says):
    (found,) = ask(DuckDuckGo(says({**NOTHING, "Answer": "42"}), 20))
    assert (found.text, found.url) == ("42", "https://duckduckgo.com/?q=tides")


def test_no_instant_answer(says):
    assert ask(DuckDuckGo(says(NOTHING), 20)) == []


@pytest.mark.parametrize("path", ["", "/", "/search"])
def test_searxng(says, site, path):
    found = ask(SearXNG(says(SEARXNG) + path, 20))
    assert found == [
        Result("Tides", "https://a.example/tides", "All about tides."),
        Result("More", "https://b.example/more", ""),
    ]
    assert urlsplit(site.paths[0]).path == "/search"


@pytest.mark.parametrize("status", [202, 429])
def test_a_provider_that_has_had_enough_says_for_how_long(says, status):
    with pytest.raises(Limited) as caught:
        ask(DuckDuckGo(says({}, status, **{"Retry-After": "90"}), 20))
    assert caught.value.wait == 90


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [({}, 403, "format json"), ({}, 500, "status 500"), (b"<html>", 200, "not JSON"), ([1], 200, "expected form")],
)
def test_failures_are_told_in_a_line(says, body, status, why):
    with pytest.raises(OutsideError, match=why):
        ask(SearXNG(says(body, status), 20))


def test_a_silent_provider_is_given_up(site):
    site.before = lambda path: time.sleep(1)
    began = time.monotonic()
    with pytest.raises(OutsideError, match="timed out"):
        ask(DuckDuckGo(site.url, 0.2))
    assert time.monotonic() - began < 0.9


def test_an_endless_answer_is_given_up(says):
    with pytest.raises(OutsideError, match="too long"):
        ask(SearXNG(says(b"[" * 3_000_000), 5))


def engine(address, raised=None):
    """A search engine of the package's own kind, on a loopback server."""

    class Local(BaseSearchEngine[TextResult]):
        name, category, provider, search_method, search_url = "local", "text", "local", "GET", address
        items_xpath = "//article"
        elements_xpath: ClassVar = {"title": ".//h2//text()", "href": ".//a/@href", "body": ".//p//text()"}

        def build_payload(self, query, region, safesearch, timelimit, page=1, **more):
            if raised:
                raise raised
            return {"q": query}

    return Local


@pytest.fixture
def only(monkeypatch):
    """Leave ddgs a single engine."""
    return lambda *given: monkeypatch.setattr("ddgs.ddgs.ENGINES", {"text": {"local": engine(*given)}})


def test_ddgs_mixes_what_its_engines_find(only, says, site):
    row = "<article><h2>{}</h2><a href='{}'></a><p>All  about tides.</p></article>"
    rows = [("Tides", "https://a.example/tides"), ("Script", "javascript:x"), ("More tides", "https://b.example/")]
    says("".join(row.format(*r) for r in rows).encode())
    only(site.url + "/search")
    found = ask(Ddgs(20))
    assert sorted(r.title for r in found) == ["More tides", "Tides"]
    assert {r.text for r in found} == {"All about tides."}
    assert len(ask(Ddgs(20), most=1)) == 1


def test_ddgs_finds_nothing(only, says):
    only(says(b"<p>nothing here</p>"))
    assert ask(Ddgs(20)) == []


@pytest.mark.parametrize(
    ("raised", "kind", "why"),
    [
        (RatelimitException("202"), Limited, "too often"),
        (TimeoutException("timed out"), OutsideError, "timed out"),
        (None, OutsideError, r"^no engine answered \([A-Za-z]+\)$"),
    ],
)
def test_why_ddgs_fails(only, raised, kind, why):
    only("http://127.0.0.1:9/", raised)
    with pytest.raises(kind, match=why):
        ask(Ddgs(20))


class Told:
    """A provider that gives out, or raises, one thing after another."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    async def ask(self, query, most):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


ONE = [Result("One", "https://one.example/", "1")]


def chain(**providers):
    return Search(WebSearch(), providers)


def test_the_next_provider_is_asked_and_the_notes_say_why():
    first, second, third = Told(OutsideError("cannot be reached")), Told([]), Told(ONE)
    found = asyncio.run(chain(a=first, b=second, c=third).find(" what  is\na tide?"))
    assert (found.results, found.provider) == (ONE, "c")
    assert found.notes == ["a: cannot be reached", "b: no results"]


def test_results_are_remembered_and_nothing_is_not():
    first = Told([], ONE)
    search = chain(a=first)
    assert asyncio.run(search.find("Tides?")).notes[-1] == "the web search found no results"
    assert asyncio.run(search.find("Tides?")).results == ONE
    assert asyncio.run(search.find("tides?  ")).results == ONE
    assert first.asked == 2


def test_a_provider_that_limits_us_is_left_alone_longer_each_time(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(searching.time, "monotonic", lambda: now)
    limit = Limited("asked too often")
    first, second = Told(limit, limit, Limited("asked too often", 900), ONE), Told(*[[]] * 9)
    search = chain(a=first, b=second)
    for seconds, asked in [(0, 1), (59, 1), (2, 2), (119, 2), (2, 3), (599, 3), (2, 4)]:
        now += seconds
        found = asyncio.run(search.find("tides"))
        assert first.asked == asked
    assert found.results == ONE


def test_the_memory_forgets(monkeypatch):
    kept = Cache[str](0.05, most=2)
    for key in "abc":
        kept.put(key, key)
    assert [kept.get(key) for key in "abc"] == [None, "b", "c"]
    time.sleep(0.06)
    assert kept.get("c") is None


def test_a_searxng_server_is_asked_first_and_has_to_be_named():
    assert parse(WebSearch, {"searxng": "http://127.0.0.1:8888"}, "test").chain == ["searxng", "duckduckgo", "ddgs"]
    for values in ({"providers": ["searxng"]}, {"searxng": "127.0.0.1"}, {"template": "{question}"}):
        with pytest.raises(RecipeError, match=r"searxng|results"):
            parse(WebSearch, values, "test")
