"""Who is asked for web pages about a question. Each provider is one small class with an `ask`.

Protocols: DuckDuckGo's instant answers (https://api.duckduckgo.com/api), SearXNG's search API
(https://docs.searxng.org/dev/search_api.html), and the class `DDGS` of the package ddgs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus

import httpx

from ozfig.errors import MissingExtra, OutsideError
from ozfig.web.pace import retry_after
from ozfig.web.robots import AGENT
from ozfig.web.urls import clean

LIMITED = {202, 429}  # DuckDuckGo answers 202 to those who ask too often
LONGEST = 2_000_000  # bytes of an answer that is read


@dataclass(frozen=True)
class Result:
    """A page about the question. `text` is what the provider shows of it."""

    title: str
    url: str
    text: str


class Limited(OutsideError):
    """A provider wants to be left alone, for `wait` seconds where it says so."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class Provider(Protocol):
    """Somebody to ask."""

    async def ask(self, query: str, most: int) -> list[Result]:
        """Up to `most` results, best first. Raises Limited, or OutsideError when no answer can be had."""


class DuckDuckGo:
    """DuckDuckGo's instant answers: an abstract, a fact or a list of topics; no web search proper."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url, timeout

    async def ask(self, query: str, most: int) -> list[Result]:
        """The abstract first, then results and topics."""
        wanted = {"q": query, "format": "json", "no_html": "1", "no_redirect": "1", "skip_disambig": "1"}
        found = await _json(self._url, wanted, self._timeout)
        return list(_instant(found, query))[:most]


def _instant(found: dict[str, Any], query: str) -> Iterator[Result]:
    """What an instant answer holds. Its fields are empty strings where it has nothing, and `Answer` may be no text."""
    heading, answer = str(found.get("Heading") or query), found.get("Answer")
    if isinstance(answer, str) and answer:
        yield Result(heading, f"https://duckduckgo.com/?q={quote_plus(query)}", answer)
    for kind in ("Abstract", "Definition"):
        text = str(found.get("AbstractText" if kind == "Abstract" else kind) or "")
        url = clean(str(found.get(f"{kind}URL") or ""))
        if text and url:
            yield Result(heading, url, text)
    for topic in _topics([*(found.get("Results") or []), *(found.get("RelatedTopics") or [])]):
        text, url = str(topic.get("Text") or ""), clean(str(topic.get("FirstURL") or ""))
        if text and url:
            yield Result(text.split(" - ")[0][:100], url, text)


def _topics(rows: list[Any]) -> Iterator[dict[str, Any]]:
    """Topics, and those that are grouped under a name."""
    for row in rows:
        if isinstance(row, dict):
            yield from _topics(row["Topics"]) if isinstance(row.get("Topics"), list) else [row]


class SearXNG:
    """A SearXNG server; its settings have to allow the format json."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url.rstrip("/").removesuffix("/search") + "/search", timeout

    async def ask(self, query: str, most: int) -> list[Result]:
        """Its results, as it ranks them."""
        found = await _json(self._url, {"q": query, "format": "json"}, self._timeout)
        rows = [row for row in found.get("results") or [] if isinstance(row, dict)]
        return _results(rows, "url", "content")[:most]


class Ddgs:
    """The package ddgs, which asks several search engines and mixes what they find."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def ask(self, query: str, most: int) -> list[Result]:
        """Results of whichever engines answered. Raises MissingExtra where the package is not installed."""
        try:
            from ddgs import DDGS
            from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException
        except ModuleNotFoundError:
            raise MissingExtra("the web search ddgs", "search") from None
        search = DDGS(timeout=max(1, round(self._timeout)))
        try:
            rows = await asyncio.to_thread(search.text, query, max_results=most)
        except TimeoutException:
            raise OutsideError("timed out") from None
        except DDGSException as error:
            # what an engine raised is the argument of what comes out
            if any(isinstance(inner, RatelimitException) for inner in (error, *error.args)):
                raise Limited("asked too often") from None
            if "no results" in str(error).lower():
                return []
            # what an engine failed with stands before a colon; the rest is its address and our question
            raise OutsideError(f"no engine answered ({str(error).split(':')[0][:60]})") from None
        return _results(rows, "href", "body")[:most]


def _results(rows: list[dict[str, Any]], url: str, text: str) -> list[Result]:
    """Rows with a web address as results; `url` and `text` name the fields."""
    found = [
        Result(str(row.get("title") or ""), clean(str(row.get(url) or "")), str(row.get(text) or "")) for row in rows
    ]
    return [result for result in found if result.url]


async def _json(url: str, wanted: dict[str, str], timeout: float) -> dict[str, Any]:
    """A provider's JSON object. Raises Limited and OutsideError.

    The address is the recipe's own, so it may be one of this network.
    """
    headers = {"User-Agent": AGENT, "Accept": "application/json"}
    try:
        async with (
            asyncio.timeout(timeout),
            httpx.AsyncClient(headers=headers, timeout=timeout, follow_redirects=True, max_redirects=3) as client,
            client.stream("GET", url, params=wanted) as reply,
        ):
            if reply.status_code in LIMITED:
                wait = retry_after(reply.headers.get("retry-after", ""))
                raise Limited(f"asked too often (status {reply.status_code})", wait)
            if reply.status_code == 403:
                raise OutsideError("refuses (status 403); a SearXNG server has to allow the format json")
            if reply.is_error:
                raise OutsideError(f"answers with status {reply.status_code}")
            return await _object(reply)
    except (httpx.TimeoutException, TimeoutError):
        raise OutsideError("timed out") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OutsideError(f"cannot be reached ({type(error).__name__})") from None


async def _object(reply: httpx.Response) -> dict[str, Any]:
    body = b""
    async for part in reply.aiter_bytes():
        body += part
        if len(body) > LONGEST:
            raise OutsideError("the answer is too long")
    try:
        found = httpx.Response(200, content=body).json()
    except ValueError:
        raise OutsideError("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise OutsideError("the answer is not in the expected form")
    return found
