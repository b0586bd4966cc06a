"""One crawl: from its first request to the last answer.

Pages are asked for as soon as they are known, several at a time; `plan` sees to it that the set of pages does
not depend on which answer came first. Each answer is committed before anything is made of it. Pages are read
between the answers, in the event loop itself: reading holds the interpreter, so a thread would only fight for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from ozfig import console
from ozfig.errors import OutsideError, UserError
from ozfig.gather.frontier import Answer, Frontier, answer, no_answer
from ozfig.gather.places import Places
from ozfig.gather.plan import Known, Plan, Walk
from ozfig.web import sitemaps
from ozfig.web.extract import Page, extract
from ozfig.web.fetch import HOPS, LONGEST_WAIT, Fetcher
from ozfig.web.robots import Rules
from ozfig.web.urls import Site

Render = Callable[[str], Awaitable[str]]

GIVE_UP_AFTER = 20
# times the limit of one host
HOSTS_AT_ONCE = 4
BROWSER_PAGES = 3
MOST_SITEMAPS = 50
# how often the loop goes round until a request that was begun is on its way
STEPS_OF_A_REQUEST = 16
# how many milliseconds reading a page gives way to bodies that are arriving
LONGEST_COURTESY = 20


class _Gone(OutsideError):
    """The host that the crawl is about answers no more."""


class Crawl:
    """A crawl while it runs. `known` holds what each address of this round turned out to be."""

    def __init__(self, fetcher: Fetcher, frontier: Frontier, places: Places, bar: console.Bar) -> None:
        self.known: dict[str, Known] = {}
        self.dead: dict[str, str] = {}
        self.render: Render | None = None
        self.renders_all = False
        self.main_host = ""
        self._fetcher, self._frontier, self._places, self._bar = fetcher, frontier, places, bar
        self._asking: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        self._under_way: set[str] = set()
        self._queues: dict[str, deque[str]] = {}
        self._robots: dict[str, asyncio.Lock] = {}
        self._reading = asyncio.Lock()
        self._rendering = asyncio.Semaphore(BROWSER_PAGES)
        self._wake = asyncio.Event()
        self._is_new = True
        self._plan_from = 0.0
        self._errors = 0

    async def rules(self, url: str) -> Rules:
        """The robots.txt that rules an address: asked for once a round. Raises OutsideError when none answers."""
        host = urlsplit(url).netloc
        async with self._robots.setdefault(host, asyncio.Lock()):
            if host not in self._places.rules:
                where = urljoin(url, "/robots.txt")
                known = self._frontier.current(where)
                text = known.html if known else await self._fetcher.robots(url)
                if not known:
                    self._frontier.put(Answer(where, "file", self._frontier.round, body=text.encode()))
                rules = self._places.rules[host] = Rules(text)
                pace = self._fetcher.pace(url)
                if rules.delay > pace.delay:
                    pace.delay = rules.delay
                    console.warn(f"{host}: robots.txt asks for {rules.delay:g} s between two requests")
        return self._places.rules[host]

    async def start(self, asked: str) -> Answer:
        """What the start address gives, wherever it redirects to. Raises UserError or OutsideError for no page."""
        url = asked
        for _ in range(HOPS + 1):
            if not (await self.rules(url)).allows(url):
                self._frontier.forget(urljoin(url, "/robots.txt"))
                raise UserError(
                    f"{url}: closed to crawlers by the site's robots.txt; start at a page that it leaves open"
                )
            one = self._frontier.current(url) or await self._fetch(url, self._frontier.get(url))
            if one.state == "page":
                return one
            if one.state != "moved":
                self._frontier.forget(url)
                raise _no_start(one)
            url = one.target
        raise UserError(f"{asked}: more than {HOPS} redirects in a row; check the address")

    async def listed(self, named: Iterable[str], site: Site) -> list[str]:
        """What the sitemaps of a site list, those included that they name themselves.

        Those of other domains are passed over; what cannot be read is told and left out.
        """
        seen: set[str] = set()
        pages: set[str] = set()
        waiting = set(named)
        while left := sorted({site.beside(url) for url in waiting} - seen - {""}):
            wave = left[: max(0, MOST_SITEMAPS - len(seen))]
            if len(left) > len(wave):
                console.warn(f"{left[len(wave)]}: more than {MOST_SITEMAPS} sitemaps; the others are left out")
            seen |= set(left)
            waiting = set()
            for body in await asyncio.gather(*(self._file(url) for url in wave)):
                links, are_sitemaps = sitemaps.links(body)
                (waiting if are_sitemaps else pages).update(links)
        return sorted(pages)

    async def drive(self, walk: Walk) -> Plan:
        """Ask for everything that the walk misses; gives the plan in which nothing is missing. Raises OutsideError."""
        for one in self._frontier.every():
            await self._take(one)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    for url in self._startable(walk):
                        group.create_task(self._visit(url))
                    if not self._under_way:
                        break
                    await self._wake.wait()
                    self._wake.clear()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        self._frontier.finish()
        return walk.plan(self.known)

    def _startable(self, walk: Walk) -> Iterator[str]:
        """The addresses whose turn it is; they count as under way from here on."""
        clock = asyncio.get_running_loop()
        is_hungry = any(not queue and self._has_room(host) for host, queue in self._queues.items())
        if self._is_new and (not self._under_way or (is_hungry and clock.time() >= self._plan_from)):
            began = clock.time()
            self._is_new = False
            self._enqueue([*self._frontier.stale(), *walk.plan(self.known).ask])
            # on a large site a walk takes its time: at most a fifth of all time goes into walks
            pause = 4 * (clock.time() - began)
            self._plan_from = clock.time() + pause
            clock.call_later(pause, self._wake.set)
        for host, queue in self._queues.items():
            while queue and self._has_room(host):
                url = queue.popleft()
                self._asking[host] += 1
                self._under_way.add(url)
                yield url

    def _enqueue(self, urls: Iterable[str]) -> None:
        """Put addresses in line, host by host, in place of what was there."""
        self._queues = {}
        for url in dict.fromkeys(urls):
            if url not in self._under_way:
                self._queues.setdefault(urlsplit(url).netloc, deque()).append(url)

    def _has_room(self, host: str) -> bool:
        """Whether one more request may be made to a host."""
        most = HOSTS_AT_ONCE * self._fetcher.manners.concurrency
        return self._asking[host] < self._fetcher.pace(f"//{host}").limit and self._asking.total() < most

    async def _visit(self, url: str) -> None:
        """Ask for one address and make of the answer what it is."""
        host = urlsplit(url).netloc
        try:
            try:
                one = await self._asked(url, host)
            finally:
                self._asking[host] -= 1
                self._wake.set()
            await self._take(one)
        finally:
            self._under_way.discard(url)
            self._wake.set()

    async def _asked(self, url: str, host: str) -> Answer:
        """The answer for one address, kept; silence and refusals are answers too."""
        number = self._frontier.round
        if urlsplit(url).fragment:  # only a browser can open it
            return self._kept(Answer(url, "route", number))
        before = self._frontier.get(url)
        try:
            rules = None if host in self.dead else await self.rules(url)
        except (OutsideError, UserError) as error:
            rules = None
            self._bury(host, str(error))
        if rules is None:
            return self._kept(no_answer(url, self.dead[host], before, number))
        if not rules.allows(url):
            return self._kept(Answer(url, "closed", number, reason="closed to crawlers by robots.txt"))
        try:
            one = await self._fetch(url, before)
        except _Gone:
            raise
        except UserError as error:
            return self._kept(Answer(url, "failed", number, reason=str(error).removeprefix(f"{url}: ")))
        except OutsideError as error:
            self._silent[host] += 1
            if self._silent[host] >= GIVE_UP_AFTER:
                self._bury(host, f"{error}; {GIVE_UP_AFTER} addresses in a row gave none")
            return self._kept(no_answer(url, str(error).removeprefix(f"{url}: "), before, number))
        self._silent[host] = 0
        return one

    async def _fetch(self, url: str, before: Answer | None = None) -> Answer:
        """Ask the server, naming what is known already. Raises like Fetcher.get."""
        unless = (before.etag, before.modified) if before and before.state == "page" else ("", "")
        reply = await self._fetcher.get(url, unless=unless)
        one = self._kept(answer(reply, before, self._frontier.round))
        if reply.is_passing and reply.wait > LONGEST_WAIT:
            self._bury(urlsplit(url).netloc, f"{url}: {reply.status}, asks to be left alone for {reply.wait:.0f} s")
        return one

    def _kept(self, one: Answer) -> Answer:
        self._frontier.put(one)
        return one

    def _bury(self, host: str, reason: str) -> None:
        """Ask a host for nothing more. Raises OutsideError when it is the one that the crawl is about."""
        if host == self.main_host:
            raise _Gone(f"{reason}; run again later to go on")
        self.dead.setdefault(host, reason)

    async def _file(self, url: str) -> bytes:
        """A sitemap's bytes; none when it cannot be had."""
        known = self._frontier.current(url)
        if known:
            return known.body
        try:
            if not (await self.rules(url)).allows(url):
                console.warn(f"sitemap left out: {url}: closed to crawlers by robots.txt")
                return b""
            reply = await self._fetcher.follow(url, kinds=())
        except (OutsideError, UserError) as error:
            console.warn(f"sitemap left out: {error}")
            return b""
        if reply.problem or reply.is_passing:
            console.warn(f"sitemap left out: {url}: {reply.problem or reply.status}")
        if reply.is_passing:  # the next run asks again
            return b""
        body = reply.body if reply.status < 300 else b""
        return self._kept(Answer(url, "file", self._frontier.round, body=body)).body

    async def _take(self, one: Answer) -> None:
        """Make of an answer what the walk needs."""
        known = Known(one.state, target=self._places.target(one.url, one.target), reason=one.reason)
        if one.state in ("page", "route"):
            page = await self._read(one)
            if self.render and one.rendered is None and (page.is_shell or self.renders_all):
                one = self._kept(await self._rendered(one))
                page = await self._read(one)
            known.state, known.page, known.reason = "page", replace(page, links=[]), one.reason
            known.is_shell = page.is_shell and one.rendered is None
            known.links = frozenset(own for link in page.links if (own := self._places.own(link)))
            self._bar.advance(1, errors=str(self._errors))
        else:
            self._errors += one.state != "moved"
        self.known[one.url] = known
        self._is_new = True

    async def _read(self, one: Answer) -> Page:
        """A page's text and links."""
        if one.state == "route" and not one.rendered:
            return Page("", "", scripts=1)
        async with self._reading:
            for _ in range(STEPS_OF_A_REQUEST):
                await asyncio.sleep(0)
            for _ in range(LONGEST_COURTESY):
                if not self._fetcher.receiving:
                    break
                await asyncio.sleep(0.001)
            return extract(one.html, one.url)

    async def _rendered(self, one: Answer) -> Answer:
        """A page with what the browser shows; without it, and with the reason, when the browser fails."""
        assert self.render is not None
        async with self._rendering:
            try:
                return replace(one, rendered=await self.render(one.url))
            except OutsideError as error:
                return replace(one, rendered="", reason=str(error).removeprefix(f"{one.url}: "))


def _no_start(one: Answer) -> UserError | OutsideError:
    """Why a crawl cannot start at an address."""
    if one.state == "unreachable":
        return OutsideError(f"{one.url}: the server answers {one.reason}; try again later")
    if one.reason.isdigit():
        return UserError(f"{one.url}: the server answers {one.reason}; check the address that the crawl starts at")
    return UserError(f"{one.url}: {one.reason}; start at an HTML page")
