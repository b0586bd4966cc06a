"""Polite, guarded fetching: robots.txt, a pace for each host, retries, limits, no private addresses.

A host's name is looked up once, checked, and the request is sent to the very address that was checked
(with the name in the Host header and in TLS), so that a name cannot point elsewhere the second time.
`connect_to` uses the same way to reach a server that stands in for the site. Redirects are not followed
here: the caller decides, and each hop is checked like any other address.
robots.txt is read as RFC 9309 says: absent means open, a server that fails means closed.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from ozfig.errors import OutsideError, UserError
from ozfig.web import bodies
from ozfig.web.pace import Pace, retry_after
from ozfig.web.robots import AGENT
from ozfig.web.urls import DEFAULT_PORTS, clean, is_loopback, is_number, is_public

PAGES = ("text/html", "application/xhtml+xml")
HEADERS = {
    "User-Agent": AGENT,
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.5",
    "Accept-Encoding": ", ".join(bodies.ENCODINGS),
}
OVERLOADED = {429, 503}
TRY_AGAIN = {*OVERLOADED, 500, 502, 504}
LONGEST_WAIT = 60.0
HOPS = 10
PRIVATE = "{}: a private or loopback address; set allow_private: true to crawl it"


@dataclass(frozen=True)
class Manners:
    """How gently a host is asked. `delay` and `timeout` are seconds, `max_bytes` the longest body that is read.

    `timeout` is for a request as a whole: a body that drips in is given up too.
    """

    delay: float = 0.0
    concurrency: int = 8
    timeout: float = 20.0
    max_bytes: int = 10_000_000
    retries: int = 3
    backoff: float = 0.5


@dataclass(frozen=True)
class Reply:
    """What a server answered. `location` is where a redirect leads; `problem` says why `body` was not read.

    `etag` and `modified` are what a later request may name to be told that nothing changed (status 304);
    `wait` is how many seconds the server asks to be left alone.
    """

    url: str
    status: int
    content_type: str = ""
    body: bytes = b""
    location: str = ""
    problem: str = ""
    etag: str = ""
    modified: str = ""
    wait: float = 0.0

    @property
    def text(self) -> str:
        """The body as text."""
        return bodies.decode(self.body, self.content_type)

    @property
    def is_passing(self) -> bool:
        """Whether the server failed in a way that may be over later."""
        return self.status == 429 or self.status >= 500


class Fetcher:
    """An asynchronous HTTP client with manners. Use it as `async with Fetcher(...) as fetcher`."""

    def __init__(self, manners: Manners | None = None, connect_to: str = "", allow_private: bool = False) -> None:
        self.manners = manners or Manners()
        self.receiving = 0
        self._connect_to = _host_and_port(connect_to) if connect_to else None
        self._allow_private = allow_private
        self._addresses: dict[str, list[str]] = {}
        self._paces: dict[str, Pace] = {}
        self._clients: dict[tuple[str, str], httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    def pace(self, url: str) -> Pace:
        """The pace at which an address's host is asked."""
        host = urlsplit(url).netloc
        if host not in self._paces:
            self._paces[host] = Pace(self.manners.concurrency, self.manners.delay)
        return self._paces[host]

    async def get(self, url: str, kinds: Sequence[str] = PAGES, unless: tuple[str, str] = ("", "")) -> Reply:
        """Ask for one address; bodies of other content types than `kinds` (all, if empty) are not read.

        `unless` is the `etag` and `modified` of an earlier reply: the status is 304 when the page is still
        that one. Raises OutsideError when no answer comes after the retries, UserError for a private address.
        """
        pace = self.pace(url)
        for attempt in range(self.manners.retries + 1):
            last = attempt == self.manners.retries
            # spread out, so that requests which failed together do not come back together
            pause = self.manners.backoff * 2**attempt * random.uniform(0.5, 1.5)
            began = await pace.enter()
            try:
                async with asyncio.timeout(self.manners.timeout):
                    reply = await self._once(url, attempt, kinds, unless)
            except httpx.InvalidURL as error:
                raise UserError(f"{url}: it, or what it redirects to, is no valid address: {error}") from None
            except (httpx.TransportError, TimeoutError) as error:
                if isinstance(error, httpx.TimeoutException | TimeoutError):
                    pace.slower(began)
                if last:
                    raise OutsideError(f"{url}: no answer ({self._why(error)})") from None
            else:
                self._note(pace, reply, began, pause)
                if reply.status not in TRY_AGAIN or last or reply.wait > LONGEST_WAIT:
                    return reply
            finally:
                await pace.leave()
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def _note(pace: Pace, reply: Reply, began: float, pause: float) -> None:
        """Let an answer change the host's pace."""
        if reply.status not in TRY_AGAIN:
            pace.faster()
            return
        pace.slower(began)
        if reply.wait or reply.status in OVERLOADED:
            pace.rest(min(max(reply.wait, pause), LONGEST_WAIT))

    async def follow(self, url: str, kinds: Sequence[str] = PAGES, hops: int = HOPS) -> Reply:
        """Ask for an address and go along with redirects, each of which is checked again. Raises like `get`."""
        for _ in range(hops + 1):
            reply = await self.get(url, kinds)
            if not reply.location:
                return reply
            url = reply.location
        raise UserError(f"{url}: more than {hops} redirects in a row; check the address")

    async def robots(self, url: str) -> str:
        """The text of the robots.txt that rules an address; empty when the site has none.

        Raises OutsideError when the server fails, which means that nothing may be crawled now.
        """
        reply = await self.follow(urljoin(url, "/robots.txt"), kinds=())
        if reply.is_passing:
            raise OutsideError(f"{reply.url}: the server answers {reply.status}; without robots.txt nothing is crawled")
        return reply.text if reply.status < 300 else ""

    async def _once(self, url: str, attempt: int, kinds: Sequence[str], unless: tuple[str, str]) -> Reply:
        """One request and its answer, whole."""
        client, target, headers, extensions = await self._route(url, attempt)
        headers |= {k: v for k, v in zip(("If-None-Match", "If-Modified-Since"), unless, strict=True) if v}
        async with client.stream("GET", target, headers=headers, extensions=extensions) as response:
            self.receiving += 1
            try:
                return await self._received(url, response, kinds)
            finally:
                self.receiving -= 1

    async def _received(self, url: str, response: httpx.Response, kinds: Sequence[str]) -> Reply:
        """An answer with its body, where that is wanted and can be read."""
        head = response.headers
        kind = head.get("content-type", "")
        marks = {"etag": head.get("etag", ""), "modified": head.get("last-modified", "")}
        body, location, problem = b"", "", ""
        if response.is_redirect and "location" in head:
            location = clean(head["location"], url)
            problem = "" if location else f"redirects to {head['location']!r}, which is no web address"
        elif kinds and kind and not kind.lower().startswith(tuple(kinds)):
            problem = f"not a page but {kind.split(';')[0]}"
        elif response.status_code != 304:
            try:
                body = await bodies.read(response, self.manners.max_bytes)
            except bodies.TooLarge:
                problem = f"larger than {self.manners.max_bytes / 1_000_000:g} MB"
            except bodies.Unreadable as error:
                problem = str(error)
            if kinds and bodies.is_binary(body):
                body, problem = b"", f"not a page, though its type is {kind or 'not given'}"
        wait = retry_after(head.get("retry-after", ""))
        return Reply(url, response.status_code, kind, body, location, problem, **marks, wait=wait)

    async def _route(
        self, url: str, attempt: int
    ) -> tuple[httpx.AsyncClient, httpx.URL, dict[str, str], dict[str, str]]:
        """The client, the address that is really connected to, and what names the site to the server."""
        asked = httpx.URL(url.split("#")[0])
        proxy = "" if self._connect_to or self._allow_private else _proxy(asked)
        if proxy:
            self._check_named(asked.host)
            return self._client(asked, proxy), asked, {}, {}
        if self._connect_to:
            host, port = self._connect_to
        else:
            numbers = await self._numbers(asked.host)
            host, port = numbers[attempt % len(numbers)], asked.port
        target = asked.copy_with(host=host, port=port or DEFAULT_PORTS[asked.scheme])
        return self._client(asked), target, {"Host": asked.netloc.decode()}, {"sni_hostname": asked.host}

    def _client(self, url: httpx.URL, proxy: str = "") -> httpx.AsyncClient:
        """The connections to one host: two names at one number must not share any, since TLS is bound to a name.

        No cookies: pages must not depend on the order in which they are asked for.
        """
        key = (f"{url.scheme}://{url.netloc.decode()}", proxy)
        if key not in self._clients:
            self._clients[key] = httpx.AsyncClient(
                headers=HEADERS,
                timeout=self.manners.timeout,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,
                # reading the certificates takes longer than a page; without TLS nobody looks at them
                verify=self._certificates if url.scheme == "https" else False,
                proxy=proxy or None,
            )
        return self._clients[key]

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """What servers' certificates are checked against, read once."""
        return httpx.create_ssl_context()

    async def _numbers(self, host: str) -> list[str]:
        """The IP addresses of a host, looked up once. Raises UserError when one of them is private."""
        if host not in self._addresses:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, None, type=1)
            except (OSError, UnicodeError) as error:
                why = getattr(error, "strerror", "") or "not a host's name"
                raise httpx.ConnectError(f"unknown host {host}: {why}") from None
            self._addresses[host] = list(dict.fromkeys(str(row[4][0]) for row in found))
        if not self._allow_private and not all(is_public(number) for number in self._addresses[host]):
            raise UserError(PRIVATE.format(host))
        return self._addresses[host]

    @staticmethod
    def _check_named(host: str) -> None:
        """Refuse a private address that is written as such; what a name stands for, a proxy alone can see."""
        if is_loopback(host) or (is_number(host) and not is_public(host)):
            raise UserError(PRIVATE.format(host))

    def _why(self, error: Exception) -> str:
        """A failed request in a few words."""
        if isinstance(error, TimeoutError):
            return f"not whole after {self.manners.timeout:g} s"
        if isinstance(error, httpx.TimeoutException):
            return "timed out"
        return str(error) or type(error).__name__


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split host:port. Raises UserError."""
    parts = urlsplit(f"//{text}")
    try:
        if parts.hostname and not parts.path:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise UserError(f"connect_to: {text!r}: write host:port, such as 127.0.0.1:8000")


def _proxy(url: httpx.URL) -> str:
    """The proxy that the environment names for an address; it looks names up itself, so only numbers can be checked."""
    return "" if urllib.request.proxy_bypass(url.host) else urllib.request.getproxies().get(url.scheme, "")
