"""Crawl one web site: politely, breadth first, with every fetched page kept at once.

The set of pages does not depend on timing: pages of one depth are asked for in the order of their
addresses, several at a time, and the next depth begins when the last of them has answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ozfig import console, recipes
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.gather import Gathered, SourceContext
from ozfig.gather.frontier import Frontier
from ozfig.gather.pages import to_documents
from ozfig.recipe import Website
from ozfig.types import Document
from ozfig.web import local, render
from ozfig.web.extract import Page, extract
from ozfig.web.fetch import Fetcher, Manners, Reply, Rules, sitemap_links
from ozfig.web.urls import Site, clean, visible

DATABASE = "frontier.sqlite"
MOST_SITEMAPS = 50
GIVE_UP_AFTER = 20
KEPT = ("done", "shell")


def crawl(url: str, **options: Any) -> list[Document]:
    """The pages of a web site as documents, sorted by address.

    `options` are the fields of the recipe's website source (max_pages, depth, delay, concurrency, render,
    allow_private, connect_to, serve). Works inside a running event loop too. Raises UserError when the
    address or an option has to change, OutsideError when the site does not answer.
    """
    section = recipes.parse(Website, {"url": url, **options}, "crawl")
    return _gather(section, None).documents


def gather(section: Website, context: SourceContext) -> Gathered:
    """The registry's source `website`; the crawl's state lies in the context's folder. Raises like `crawl`."""
    context.folder.mkdir(parents=True, exist_ok=True)
    path = context.folder / DATABASE
    if context.refresh:
        for stale in context.folder.glob(f"{DATABASE}*"):
            stale.unlink()
    return _gather(section, path)


def _gather(section: Website, database: Path | None) -> Gathered:
    if not clean(section.url):
        raise UserError(f"{section.url}: not a web address; write it as https://example.com/")
    if section.render == "always" and render.missing():
        if "ozfig[render]" in render.missing():
            raise MissingExtra("render: always", "render")
        raise UserError(f"render: always: no browser found; {render.missing()}")
    with _server(section) as connect_to:
        return _run(lambda: _Crawl(section, connect_to).run(database))


@contextmanager
def _server(section: Website) -> Iterator[str]:
    """The host:port that answers for the site, started here where `serve` names a folder; empty for the real one."""
    if not section.serve:
        yield section.connect_to
        return
    with local.served(Path(section.serve)) as address:
        yield address


def _run(work: Callable[[], Awaitable[Gathered]]) -> Gathered:
    """Run a coroutine to its end, in a thread of its own where a loop already runs, as in a notebook."""

    async def main() -> Gathered:
        return await work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main()).result()


@dataclass(frozen=True)
class _Place:
    """The site that is crawled and its robots.txt."""

    site: Site
    rules: Rules
    start: str


class _Crawl:
    """One crawl from its first request to its documents."""

    def __init__(self, section: Website, connect_to: str) -> None:
        self._section = section
        self._connect_to = connect_to
        self._manners = Manners(delay=section.delay, concurrency=section.concurrency)
        self._has_browser = section.render != "never" and render.available()
        self._silent = 0

    async def run(self, database: Path | None) -> Gathered:
        """Crawl, or go on crawling, and turn the pages into documents."""
        frontier = Frontier(database)
        with contextlib.closing(frontier), console.bar("website", self._section.max_pages, "pages") as bar:
            async with Fetcher(self._manners, self._connect_to, self._section.allow_private) as fetcher:
                self._fetcher, self._frontier, self._bar = fetcher, frontier, bar
                self._place = await self._open()
                fetcher.delay = max(self._section.delay, self._place.rules.delay)
                async with self._browser() as browser:
                    await self._every_depth(browser)
            gathered = to_documents(frontier.found(*KEPT), self._place.site, visible(self._place.start))
            failed = [f"{visible(f.url)}: {f.reason}" for f in frontier.found("failed", "unreachable")]
            gathered.counts |= {"fetched": frontier.count(*KEPT), "redirects": frontier.count("moved")}
        self._tell(gathered.needs_browser, failed)
        gathered.failed = failed + gathered.failed
        return gathered

    async def _open(self) -> _Place:
        """Where the crawl starts: remembered, or found out by asking."""
        known = self._frontier.fact("place")
        if known:
            self._frontier.ask_again()
            self._bar.advance(self._frontier.count(*KEPT))
            return _Place(Site(**known["site"]), Rules(known["robots"]), known["start"])
        asked = clean(self._section.url)
        try:
            robots = await self._fetcher.robots(asked)
        except OutsideError as error:
            raise OutsideError(f"{error}; check the address and the network, then run it again") from None
        reply = await self._fetcher.follow(asked) if Rules(robots).allows(asked) else None
        if reply and urlsplit(reply.url).netloc != urlsplit(asked).netloc:
            console.warn(f"{asked} leads to {reply.url}; that site is crawled")
            robots = await self._fetcher.robots(reply.url)
        if reply is None or not Rules(robots).allows(reply.url):
            raise UserError(
                f"{asked}: closed to crawlers by the site's robots.txt; start at a page that it leaves open"
            )
        _check_start(reply)
        place = _Place(Site.of(asked, reply.url), Rules(robots), reply.url)
        listed = await self._listed(place)
        seeds = [(reply.url, 0), *((url, 1) for url in listed if self._section.depth > 0)]
        facts = {"place": {"site": place.site.to_row(), "robots": robots, "start": reply.url}}
        self._frontier.begin(facts, seeds)
        # the start page has been fetched already
        self._place = place
        await self._keep(reply, 0)
        return place

    async def _listed(self, place: _Place) -> list[str]:
        """The site's own addresses that its sitemaps list."""
        waiting = place.rules.sitemaps or [f"{place.site.scheme}://{place.site.netloc}/sitemap.xml"]
        seen: set[str] = set()
        pages: set[str] = set()
        while waiting and len(seen) < MOST_SITEMAPS:
            url = _on_site(waiting.pop(0), place.site)
            if url in seen or not url:
                continue
            seen.add(url)
            try:
                reply = await self._fetcher.follow(url, kinds=())
            except (OutsideError, UserError) as error:
                console.warn(f"sitemap left out: {error}")
                continue
            if reply.status < 300:
                links, are_sitemaps = sitemap_links(reply)
                waiting += links if are_sitemaps else []
                pages |= set() if are_sitemaps else {place.site.listed(link) for link in links}
        return sorted(page for page in pages if page and place.rules.allows(page))

    @asynccontextmanager
    async def _browser(self) -> AsyncIterator[Callable[[str], Awaitable[str]] | None]:
        """What renders a page, starting a browser when first used; None where there is none."""
        if not self._has_browser:
            yield None
            return
        host = urlsplit(self._place.start).hostname or ""
        async with contextlib.AsyncExitStack() as stack:
            started: list[render.Browser] = []

            async def render_page(url: str) -> str:
                if not started:
                    browser = render.Browser(self._fetcher, host, self._connect_to)
                    started.append(await stack.enter_async_context(browser))
                return await started[0].render(url)

            yield render_page

    async def _every_depth(self, browser: Callable[[str], Awaitable[str]] | None) -> None:
        """Fetch depth by depth until no address or no budget is left."""
        while True:
            budget = self._section.max_pages - self._frontier.count(*KEPT)
            depth, batch = self._frontier.waiting("pending", max(budget, 0))
            shell_depth, shells = self._frontier.waiting("shell") if browser else (-1, [])
            if browser and shells and (not batch or shell_depth < depth):
                for url in shells:
                    await self._render(browser, url, shell_depth)
            elif batch:
                await _each(batch, lambda url, depth=depth: self._visit(url, depth), self._section.concurrency)  # type: ignore[misc]
            else:
                return

    async def _visit(self, url: str, depth: int) -> None:
        """Ask for one address and note what became of it."""
        if urlsplit(url).fragment:  # a client-side route: only a browser can show it
            self._frontier.finish_page(url, "shell", Page("", "", scripts=1), [])
            return
        try:
            reply = await self._fetcher.get(url)
        except OutsideError as error:
            self._silent += 1
            if self._silent >= GIVE_UP_AFTER:
                raise OutsideError(
                    f"{error}; {self._silent} addresses in a row gave none, run again to go on"
                ) from None
            self._frontier.finish(url, "unreachable", reason=str(error).removeprefix(f"{url}: "))
            return
        self._silent = 0
        await self._keep(reply, depth)

    async def _keep(self, reply: Reply, depth: int) -> None:
        """Put a reply into the frontier."""
        if reply.location:
            target = self._place.site.own(reply.location)
            allowed = target if target and self._place.rules.allows(target) else ""
            self._frontier.move(reply.url, allowed if allowed != reply.url else "", depth)
        elif reply.status >= 300 or reply.problem:
            self._frontier.finish(
                reply.url, "failed", reason=reply.problem if reply.status < 300 else str(reply.status)
            )
        else:
            page = await asyncio.to_thread(extract, reply.text, reply.url)
            waits = page.is_shell or self._section.render == "always"
            self._frontier.finish_page(reply.url, "shell" if waits else "done", page, self._next(page.links, depth))
            self._bar.advance(1, failed=str(self._frontier.count("failed", "unreachable")))

    async def _render(self, browser: Callable[[str], Awaitable[str]], url: str, depth: int) -> None:
        """Put a page as the browser shows it in place of its shell."""
        try:
            page = await asyncio.to_thread(extract, await browser(url), url)
        except OutsideError as error:
            kept = next(found.page for found in self._frontier.found("shell") if found.url == url)
            self._frontier.finish(url, "done", kept, str(error).removeprefix(f"{url}: "))
            return
        self._frontier.finish_page(url, "done", page, self._next(page.links, depth))

    def _next(self, links: Iterable[str], depth: int) -> list[tuple[str, int]]:
        """The links of a page that are followed, one step deeper."""
        if depth >= self._section.depth:
            return []
        own = {self._place.site.own(link) for link in links}
        return sorted((url, depth + 1) for url in own if url and self._place.rules.allows(url))

    def _tell(self, needs_browser: int, failed: list[str]) -> None:
        """Say in one line each what a person should know."""
        where = urlsplit(self._place.start).netloc
        if needs_browser:
            mend = render.missing() if self._section.render != "never" else "set render: auto"
            console.warn(f"{where}: {needs_browser} pages show their text only with JavaScript; to have it, {mend}")
        if failed:
            console.warn(f"{where}: {len(failed)} addresses gave no page, such as {failed[0]}")


async def _each(items: Iterable[str], work: Callable[[str], Awaitable[None]], workers: int) -> None:
    """Do `work` on every item, `workers` at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _check_start(reply: Reply) -> None:
    """Refuse a start address that gives no page. Raises UserError or OutsideError."""
    if reply.status == 429 or reply.status >= 500:
        raise OutsideError(f"{reply.url}: the server answers {reply.status}; try again later")
    if reply.status >= 300:
        raise UserError(f"{reply.url}: the server answers {reply.status}; check the address that the crawl starts at")
    if reply.problem:
        raise UserError(f"{reply.url}: {reply.problem}; start at an HTML page")


def _on_site(sitemap: str, site: Site) -> str:
    """A sitemap's address on the crawled host; empty when another host has it."""
    parts = urlsplit(clean(sitemap))
    here = Site(site.scheme, site.netloc, "/")
    moved = here.listed(parts._replace(path="/", query="").geturl())
    return parts._replace(scheme=site.scheme, netloc=site.netloc).geturl() if moved else ""
