"""Polite, guarded fetching: robots.txt, a delay and a limit for each host, retries, no private addresses.

A host's name is looked up once, checked, and the request is sent to the very address that was checked
(with the name in the Host header and in TLS), so that a name cannot point elsewhere the second time.
`connect_to` uses the same way to reach a server that stands in for the site. Redirects are not followed
here: the caller decides, and each hop is checked like any other address.
robots.txt is read as RFC 9309 says: absent means open, a server that fails means closed.
"""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import io
import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from ozfig import __version__
from ozfig.errors import OutsideError, UserError
from ozfig.web.urls import DEFAULT_PORTS, clean, is_public

AGENT = f"ozfig/{__version__}"
PAGES = ("text/html", "application/xhtml+xml")
TRY_AGAIN = {429, 500, 502, 503, 504}
LONGEST_WAIT = 60.0
# the protocol's own limit, in bytes
LONGEST_SITEMAP = 50_000_000
CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Manners:
    """How gently a host is asked. `delay` and `timeout` are seconds, `max_bytes` the longest body that is read."""

    delay: float = 0.0
    concurrency: int = 8
    timeout: float = 20.0
    max_bytes: int = 10_000_000
    retries: int = 3
    backoff: float = 0.5


@dataclass(frozen=True)
class Reply:
    """What a server answered. `location` is where a redirect leads; `problem` says why `body` was not read."""

    url: str
    status: int
    content_type: str = ""
    body: bytes = b""
    location: str = ""
    problem: str = ""

    @property
    def text(self) -> str:
        """The body as text: the charset of the header, else of the page itself, else UTF-8."""
        named = re.search(r"charset=[\"']?([\w-]+)", self.content_type)
        found = CHARSET.search(self.body[:4096])
        charset = named[1] if named else found[1].decode() if found else "utf-8"
        try:
            return self.body.decode(charset, errors="replace")
        except LookupError:
            return self.body.decode("utf-8", errors="replace")


class Rules:
    """What a robots.txt allows this crawler."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)

    def allows(self, url: str) -> bool:
        """Whether an address may be asked for."""
        return bool(self._rules.can_fetch(url.split("#")[0], AGENT))

    @property
    def delay(self) -> float:
        """Seconds that it wants between two requests."""
        return float(self._rules.crawl_delay(AGENT) or 0)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that it names."""
        return list(self._rules.sitemaps)


class Fetcher:
    """An asynchronous HTTP client with manners. Use it as `async with Fetcher(...) as fetcher`."""

    def __init__(self, manners: Manners | None = None, connect_to: str = "", allow_private: bool = False) -> None:
        self.manners = manners or Manners()
        self.delay = self.manners.delay
        self._connect_to = _host_and_port(connect_to) if connect_to else None
        self._allow_private = allow_private
        self._addresses: dict[str, list[str]] = {}
        self._next_turn: dict[str, float] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def get(self, url: str, kinds: Sequence[str] = PAGES) -> Reply:
        """Ask for one address; bodies of other content types than `kinds` (all, if empty) are not read.

        Raises OutsideError when no answer comes after the retries, UserError for a private address.
        """
        host = urlsplit(url).netloc
        slot = self._slots.setdefault(host, asyncio.Semaphore(self.manners.concurrency))
        async with slot:
            for attempt in range(self.manners.retries + 1):
                await self._turn(host)
                last = attempt == self.manners.retries
                try:
                    reply, asked_wait = await self._once(url, attempt, kinds)
                except httpx.InvalidURL as error:
                    raise UserError(f"{url}: not a valid address: {error}") from None
                except (httpx.TransportError, httpx.DecodingError) as error:
                    if last:
                        raise OutsideError(f"{url}: no answer ({_why(error)})") from None
                    asked_wait = 0.0
                else:
                    if reply.status not in TRY_AGAIN or last or asked_wait > LONGEST_WAIT:
                        return reply
                self._rest(host, max(asked_wait, self.manners.backoff * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    async def follow(self, url: str, kinds: Sequence[str] = PAGES, hops: int = 5) -> Reply:
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
        if reply.status == 429 or reply.status >= 500:
            raise OutsideError(f"{reply.url}: the server answers {reply.status}; without robots.txt nothing is crawled")
        return reply.text if reply.status < 300 else ""

    async def permits(self, url: str) -> bool:
        """Whether an address may be connected to: for a browser's own requests."""
        try:
            await self._numbers(urlsplit(url).hostname or "")
        except (UserError, httpx.ConnectError):
            return False
        return True

    async def _once(self, url: str, attempt: int, kinds: Sequence[str]) -> tuple[Reply, float]:
        """One request: the reply, and the seconds that the server asks to wait."""
        client, target, headers, extensions = await self._route(url, attempt)
        async with client.stream("GET", target, headers=headers, extensions=extensions) as response:
            kind = response.headers.get("content-type", "")
            wait = _retry_after(response.headers.get("retry-after", ""))
            if response.is_redirect and "location" in response.headers:
                location = clean(response.headers["location"], url)
                return Reply(url, response.status_code, kind, location=location), wait
            if kinds and kind and not kind.lower().startswith(tuple(kinds)):
                return Reply(url, response.status_code, kind, problem=f"not a page but {kind.split(';')[0]}"), wait
            parts, size = [], 0
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > self.manners.max_bytes:
                    problem = f"larger than {self.manners.max_bytes // 1_000_000} MB"
                    return Reply(url, response.status_code, kind, problem=problem), wait
            return Reply(url, response.status_code, kind, b"".join(parts)), wait

    async def _route(
        self, url: str, attempt: int
    ) -> tuple[httpx.AsyncClient, httpx.URL, dict[str, str], dict[str, str]]:
        """The client, the address that is really connected to, and what names the site to the server."""
        asked = httpx.URL(url.split("#")[0])
        proxy = "" if self._connect_to or self._allow_private else _proxy(asked)
        if proxy:
            return self._client(proxy), asked, {}, {}
        if self._connect_to:
            host, port = self._connect_to
        else:
            numbers = await self._numbers(asked.host)
            host, port = numbers[attempt % len(numbers)], asked.port
        target = asked.copy_with(host=host, port=port or DEFAULT_PORTS[asked.scheme])
        return self._client(""), target, {"Host": asked.netloc.decode()}, {"sni_hostname": asked.host}

    def _client(self, proxy: str) -> httpx.AsyncClient:
        """The connection pool for direct requests ("") or for a proxy. No cookies: pages must not depend on order."""
        if proxy not in self._clients:
            self._clients[proxy] = httpx.AsyncClient(
                headers={"User-Agent": AGENT, "Accept": "text/html,application/xhtml+xml,*/*;q=0.5"},
                timeout=self.manners.timeout,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,
                proxy=proxy or None,
            )
        return self._clients[proxy]

    async def _numbers(self, host: str) -> list[str]:
        """The IP addresses of a host, looked up once. Raises UserError when one of them is private."""
        if host not in self._addresses:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, None, type=1)
            except OSError as error:
                raise httpx.ConnectError(f"unknown host {host}: {error.strerror}") from None
            self._addresses[host] = list(dict.fromkeys(str(row[4][0]) for row in found))
        if not self._allow_private and not all(is_public(number) for number in self._addresses[host]):
            raise UserError(f"{host}: a private or loopback address; set allow_private: true to crawl it")
        return self._addresses[host]

    async def _turn(self, host: str) -> None:
        """Wait until this host may be asked again."""
        now = time.monotonic()
        turn = max(now, self._next_turn.get(host, 0.0))
        self._next_turn[host] = turn + self.delay
        await asyncio.sleep(turn - now)

    def _rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for a while."""
        self._next_turn[host] = max(self._next_turn.get(host, 0.0), time.monotonic() + seconds)


def sitemap_links(reply: Reply) -> tuple[list[str], bool]:
    """The addresses that a sitemap lists, and whether they are further sitemaps. Gzipped files are opened."""
    body = reply.body
    if body[:2] == b"\x1f\x8b":
        try:
            body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(LONGEST_SITEMAP)
        except (OSError, EOFError):
            return [], False
    text = body.decode("utf-8", errors="replace")
    found = re.findall(r"<loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</loc>", text, re.DOTALL)
    return [link.replace("&amp;", "&") for link in found], "<sitemapindex" in text


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


def _retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date."""
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _why(error: Exception) -> str:
    """A transport error in a few words."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    return str(error) or type(error).__name__
