"""A crawl of one web site: level by level, politely, and the same pages whatever the order of the answers."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ozfig import console
from ozfig.errors import OutsideError
from ozfig.gather import Found, Visit
from ozfig.gather.frontier import Fetched, Frontier
from ozfig.recipe import Website
from ozfig.types import Document
from ozfig.web import render
from ozfig.web.extract import clean_address, extract
from ozfig.web.fetch import Fetcher, FetchError, Manners, check_address
from ozfig.web.folder import served

LITTLE_TEXT = "little text"
NEEDS_BROWSER = "needs JavaScript"
REPEATED_SHARE, REPEATED_LEAST = 0.5, 6


def gather(source: Website, visit: Visit) -> Found:
    """Crawl the site that a recipe names; its frontier stays in the visit's folder until the stage is done."""
    check_address(source.url)
    with ExitStack() as stack:
        host = source.connect_to or (stack.enter_context(served(Path(source.serve))) if source.serve else "")
        frontier = Frontier(visit.folder / "frontier.sqlite")
        stack.callback(frontier.close)
        asyncio.run(Crawl(replace_host(source, host), frontier).run())
        pages, failures = frontier.pages(), frontier.failures()
    return _found(source, pages, failures)


def crawl(url: str, **options: Any) -> list[Document]:
    """Crawl a site without a recipe; options are those of the recipe's website source. Keeps nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return gather(Website(url=url, **options), Visit(Path(folder))).documents


def replace_host(source: Website, host: str) -> Website:
    """The source with the host:port that answers for it."""
    return source.model_copy(update={"connect_to": host})


@dataclass
class Crawl:
    """One crawl under way."""

    source: Website
    frontier: Frontier

    async def run(self) -> None:
        """Fetch level after level until nothing waits or the limit is reached.

        Raises OutsideError when the start page cannot be had.
        """
        source = self.source
        manners = Manners(source.concurrency, source.delay, source.connect_to, source.allow_private)
        start = clean_address(source.url)
        async with AsyncExitStack() as stack:
            self.fetcher = await stack.enter_async_context(Fetcher(manners))
            self.browser = await self._open_browser(stack)
            sitemaps = await self.fetcher.read_robots(start)
            if not self.fetcher.allowed(start):
                raise OutsideError(f"{source.url}: robots.txt does not let ozfig in")
            if self.frontier.deepest() < 0 and not self.frontier.count():
                self.frontier.add([start], 0)
                self.frontier.add(await self._sitemap_pages(sitemaps or [urljoin(start, "/sitemap.xml")]), 1)
            with console.bar("crawl", total=None, unit="pages") as bar:
                bar.advance(self.frontier.count())
                for depth in range(source.depth + 1):
                    await self._level(depth, bar)
        if not self.frontier.count():
            reasons = self.frontier.failures()
            raise OutsideError(f"{source.url}: {reasons.get(start) or 'gave no page'}; check the address and the network")

    async def _open_browser(self, stack: AsyncExitStack) -> render.Browser | None:
        wanted = self.source.render == "always" or (self.source.render == "auto" and render.available())
        if not wanted:
            return None
        return await stack.enter_async_context(render.Browser(self.source.url, self.source.connect_to))

    async def _level(self, depth: int, bar: console.Bar) -> None:
        """Fetch the addresses of one depth, as many at once as the recipe allows."""
        while urls := self.frontier.level(depth, self.source.max_pages - self.frontier.count()):
            bar.total(self.frontier.count() + len(urls))
            await asyncio.gather(*(self._page(url, depth, bar) for url in urls))

    async def _page(self, url: str, depth: int, bar: console.Bar) -> None:
        """Fetch, read and store one page."""
        if not self.fetcher.allowed(url):
            self.frontier.failed(url, "closed by robots.txt")
            return
        try:
            page = await self.fetcher.get(url)
        except FetchError as error:
            self.frontier.failed(url, error.reason)
            return
        if not page.is_html or not self._belongs(page.url):
            self.frontier.failed(url, "no page" if not page.is_html else "leads to another site")
            return
        address = url if "#" in url else page.url
        found = extract(page.text, address)
        note = ""
        if self.source.render == "always" or "#" in url or (found.is_thin and found.scripts):
            if self.browser:
                found = extract(await self.browser.html(address), address)
            elif found.is_thin and found.scripts:
                note = NEEDS_BROWSER
        note = note or (LITTLE_TEXT if found.is_thin else "")
        links = [link for link in found.links if self._belongs(link)]
        self.frontier.done(Fetched(address, found.title, found.markdown, found.canonical, note), url, links, depth)
        bar.advance(1, page=urlsplit(url).path[-40:])

    def _belongs(self, url: str) -> bool:
        """Whether an address is on the site that is crawled."""
        return urlsplit(url).netloc.lower() == urlsplit(self.source.url).netloc.lower()

    async def _sitemap_pages(self, sitemaps: Sequence[str]) -> list[str]:
        """Addresses of the site that its sitemaps list; a sitemap of sitemaps is followed once."""
        found: list[str] = []
        waiting, seen = list(sitemaps), set[str]()
        while waiting and len(seen) < 50:
            address = waiting.pop()
            seen.add(address)
            try:
                text = (await self.fetcher.get(address)).text
            except FetchError:
                continue  # most sites have none
            listed = [" ".join(url.split()).replace("&amp;", "&") for url in re.findall(r"<loc>(.*?)</loc>", text, re.S)]
            if "<sitemapindex" in text:
                waiting += [url for url in listed if url not in seen and self._belongs(url)]
            else:
                found += [clean_address(url) for url in listed if self._belongs(url)]
        return found


def _found(source: Website, pages: Sequence[Fetched], failures: dict[str, str]) -> Found:
    """Documents of the pages that hold text: one for each canonical address, blocks of the frame taken out."""
    kept: dict[str, Fetched] = {}
    for page in sorted(pages, key=lambda p: (p.url != p.canonical, p.url)):
        kept.setdefault(page.canonical or page.url, page)
    chosen = _without_repeats([page for page in kept.values() if page.note != NEEDS_BROWSER and page.markdown])
    documents = [Document.make(public_address(p.url), p.title, p.markdown, source="website", note=p.note) for p in chosen]
    return Found(
        documents=documents,
        little_text=sorted(public_address(p.url) for p in pages if p.note == LITTLE_TEXT),
        failed={public_address(url): reason for url, reason in failures.items()},
        needs_browser=sum(p.note == NEEDS_BROWSER for p in pages),
    )


def _without_repeats(pages: Sequence[Fetched]) -> list[Fetched]:
    """Pages without the paragraphs that stand on most pages of the site: banners and frames, not content."""
    blocks = [p.markdown.split("\n\n") for p in pages]
    seen = Counter(block for page in blocks for block in set(page))
    often = max(REPEATED_LEAST, REPEATED_SHARE * len(pages))
    kept = ["\n\n".join(block for block in page if seen[block] < often) for page in blocks]
    return [replace(page, markdown=text) for page, text in zip(pages, kept, strict=True) if text]


def public_address(url: str) -> str:
    """An address as it may be stored: the port of a loopback server changes from run to run and is left out."""
    parts = urlsplit(url)
    if parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        return parts._replace(netloc=parts.hostname).geturl()
    return url
