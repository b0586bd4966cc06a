"""Crawl a web site: politely, breadth first, with every answer kept at once.

The set of pages does not depend on timing (see `plan`). The answers lie in a database whose name is the hash of
what decides which pages are reached: a crawl with more pages, more requests at once or other manners goes on
with the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ozfig import console, files, recipes
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.gather import Gathered, SourceContext
from ozfig.gather.crawl import Crawl, Render
from ozfig.gather.frontier import Frontier
from ozfig.gather.pages import Found, to_documents
from ozfig.gather.places import Places, addresses, host_of
from ozfig.gather.plan import Plan, Walk, redirect_problem
from ozfig.recipe import Website
from ozfig.types import Document
from ozfig.web import local, render
from ozfig.web.fetch import Fetcher, Manners
from ozfig.web.urls import Site, visible

# these change how a site is asked and how much of it, not what it is
MANNERS = {"max_pages", "delay", "concurrency", "timeout", "retries", "urls_from"}
# of the database; another number begins every crawl anew
LAYOUT = 1
MOST_TRAPS = 3  # that are told on the terminal
IS_SITEMAP = (".xml", ".xml.gz")


def crawl(url: str, **options: Any) -> list[Document]:
    """The pages of a web site as documents, sorted by address.

    `options` are the fields of the recipe's website source (max_pages, depth, follow, scope, include, exclude,
    delay, concurrency, render, allow_private, connect_to, serve ...). Works inside a running event loop too.
    Raises UserError when the address or an option has to change, OutsideError when the site does not answer.
    """
    section = recipes.parse(Website, {"url": url, **options}, "crawl")
    return gather(section, None).documents


def gather(section: Website, context: SourceContext | None) -> Gathered:
    """The registry's source `website`; its answers lie in the context's folder, or nowhere. Raises like `crawl`."""
    if section.render == "always" and render.missing():
        if "ozfig[render]" in render.missing():
            raise MissingExtra("render: always", "render")
        raise UserError(f"render: always: no browser found; {render.missing()}")
    named = addresses(section, _read_list(section))
    database = None
    if context:
        context.folder.mkdir(parents=True, exist_ok=True)
        database = context.folder / f"{_identity(section, named)}.sqlite"
    is_refresh = context is not None and context.refresh

    async def work() -> Gathered:
        with _server(section) as connect_to, contextlib.closing(Frontier(database)) as frontier:
            frontier.begin(is_refresh)
            return await _gather(section, named, connect_to, frontier)

    return _run(work())


def _read_list(section: Website) -> list[str]:
    """The addresses of `urls_from`; empty lines and lines that begin with # are passed over. Raises UserError."""
    if not section.urls_from:
        return []
    path = Path(section.urls_from)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"urls_from: {path}: not a text file that can be read ({error})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _identity(section: Website, named: list[str]) -> str:
    """The hash of everything that decides which pages are reached; of a folder that is served, of its files."""
    fields = {k: v for k, v in section.model_dump(mode="json").items() if k not in MANNERS}
    fields |= {"urls": named, "layout": LAYOUT}
    if section.serve and Path(section.serve).is_dir():
        fields["serve"] = files.sha256_path(Path(section.serve))
    return files.sha256_value(fields)[:16]


@contextmanager
def _server(section: Website) -> Iterator[str]:
    """The host:port that answers for the site, started here where `serve` names a folder; empty for the real one."""
    if not section.serve:
        yield section.connect_to
        return
    with local.served(Path(section.serve)) as address:
        yield address


def _run(work: Coroutine[Any, Any, Gathered]) -> Gathered:
    """Run a coroutine to its end, in a thread of its own where a loop already runs, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _gather(section: Website, named: list[str], connect_to: str, frontier: Frontier) -> Gathered:
    """Crawl, or go on crawling, and turn the pages into documents."""
    places = Places(section, named)
    manners = Manners(
        delay=section.delay,
        concurrency=section.concurrency,
        timeout=section.timeout,
        max_bytes=round(section.max_mb * 1_000_000),
        retries=section.retries,
    )
    with console.bar("website", section.max_pages, "pages") as bar:
        async with Fetcher(manners, connect_to, section.allow_private) as fetcher:
            going = Crawl(fetcher, frontier, places, bar)
            start, walk = await _open(section, named, going, places)
            async with _browser(section, fetcher, urlsplit(start).hostname or "", connect_to) as shown:
                going.render, going.renders_all = shown, section.render == "always"
                plan = await going.drive(walk)
    return _report(going, walk, plan, start, section)


async def _open(section: Website, named: list[str], going: Crawl, places: Places) -> tuple[str, Walk]:
    """Where the crawl starts and what it may walk over. Raises UserError or OutsideError."""
    follow = section.follow
    is_sitemap = section.url and urlsplit(named[0]).path.endswith(IS_SITEMAP)
    if follow == "auto":
        follow = "sitemap" if is_sitemap else "none" if section.urls or section.urls_from else "links"
    start = named[0]
    sitemap_pages: list[str] = []
    if section.url and not is_sitemap:
        start, sitemap_pages = await _start(named[0], follow != "none", going)
    elif is_sitemap:
        sitemap_pages = await going.listed([start], Site.of(start, start, "host"))
    places.add(Site.of(named[0], start, section.scope))
    for url in named[1:] if follow == "links" else []:
        places.add(Site.of(url, url, section.scope))
    if follow != "links":
        places.listed_hosts = frozenset(map(host_of, named))
    listed = frozenset(own for url in sitemap_pages if (own := places.listed(url)))
    if follow == "sitemap" and not listed:
        raise UserError(f"{start}: no sitemap that lists pages of it was found; set follow: links")
    starts = named[1:] if is_sitemap or (follow == "sitemap" and section.url) else [start, *named[1:]]
    depth = section.depth if follow == "links" else 0
    kept_list = listed if depth or follow == "sitemap" else frozenset()
    return start, Walk(places, section.max_pages, depth, starts, kept_list)


async def _start(asked: str, with_sitemaps: bool, going: Crawl) -> tuple[str, list[str]]:
    """The address that the start leads to, and what the site's sitemaps list."""
    going.main_host = urlsplit(asked).netloc
    try:
        await going.rules(asked)
    except OutsideError as error:
        raise OutsideError(f"{error}; check the address and the network, then run it again") from None

    async def listed(url: str) -> list[str]:
        rules = await going.rules(url)
        here = Site.of(url, url, "host")
        default = urljoin(url, "/sitemap.xml")
        return await going.listed(rules.sitemaps or [default], here) if with_sitemaps else []

    page, pages = await asyncio.gather(going.start(asked), listed(asked))
    if urlsplit(page.url).netloc != urlsplit(asked).netloc:
        going.main_host = urlsplit(page.url).netloc
        console.warn(f"{asked} leads to {page.url}; that site is crawled")
        pages += await listed(page.url)
    return page.url, pages


@asynccontextmanager
async def _browser(section: Website, fetcher: Fetcher, host: str, connect_to: str) -> AsyncIterator[Render | None]:
    """What renders a page, starting a browser when first used; None where there is none."""
    if section.render == "never" or not render.available():
        yield None
        return
    async with contextlib.AsyncExitStack() as stack:
        started: list[render.Browser] = []
        starting = asyncio.Lock()

        async def render_page(url: str) -> str:
            async with starting:
                if not started:
                    started.append(await stack.enter_async_context(render.Browser(fetcher, host, connect_to)))
            return await started[0].render(url)

        yield render_page


def _report(going: Crawl, walk: Walk, plan: Plan, start: str, section: Website) -> Gathered:
    """The documents, and a line for everything that a person should know."""
    places, known = walk.places, going.known
    found = [Found(url, one.page, one.is_shell, one.reason) for url in plan.kept if (one := known[url]).page]
    gathered = to_documents(found, places, visible(start))
    failed = []
    for url in plan.others:
        one, host = known[url], urlsplit(url).netloc
        problem = redirect_problem(url, known) if one.state == "moved" else one.reason
        is_left_out = one.state == "closed" and url not in places.named
        if problem and host not in going.dead and not is_left_out and one.state != "vanished":
            failed.append(f"{visible(url)}: {problem}")
    # a page that was kept though it did not answer this time
    failed += [f"{visible(f.url)}: {f.reason}" for f in found if f.reason.endswith("is kept")]
    vanished = sorted(url for url, one in known.items() if one.state == "vanished")
    failed += [f"{visible(url)}: vanished ({known[url].reason})" for url in vanished]
    failed += [f"{host}: {reason}; its addresses are left out" for host, reason in sorted(going.dead.items())]
    gathered.failed = [*sorted(failed), *gathered.failed]
    gathered.counts |= {
        "fetched": len(plan.kept),
        "redirects": sum(known[url].state == "moved" for url in plan.others),
        "vanished": len(vanished),
        "left_out": plan.capped.total() + len(places.traps),
        "limit_reached": int(plan.is_cut),
    }
    traps = _traps(walk, plan)
    _tell(gathered, traps, section, urlsplit(start).netloc)
    gathered.failed += traps
    return gathered


def _traps(walk: Walk, plan: Plan) -> list[str]:
    """A line for each kind of address that seems to have no end."""
    lines = [
        f"{visible(f'http://{shape}').removeprefix('http://')}: {walk.most_of_a_shape} addresses of this pattern"
        f" asked for, {n} known ones left out; raise max_pages or list them in urls to have more"
        for shape, n in sorted(plan.capped.items())
    ]
    if walk.places.traps:
        example = visible(min(walk.places.traps))
        lines.append(f"{example}: repeats itself; {len(walk.places.traps)} such addresses left out")
    return lines


def _tell(gathered: Gathered, traps: list[str], section: Website, where: str) -> None:
    """Say in one line each what a person should know now; `failed` does not hold the traps yet."""
    if gathered.counts["limit_reached"]:
        console.warn(f"{where}: stopped at max_pages: {section.max_pages}; there are more")
    if gathered.needs_browser:
        mend = render.missing() if section.render != "never" else "set render: auto"
        pages = console.counted(gathered.needs_browser, "page")
        console.warn(f"{where}: {pages} with text that only JavaScript shows; to have it, {mend}")
    if gathered.failed:
        urls = console.counted(len(gathered.failed), "address", "addresses")
        console.warn(f"{where}: no page from {urls}, such as {gathered.failed[0]}")
    for line in traps[:MOST_TRAPS]:
        console.warn(f"{where}: {line}")
    if more := len(traps[MOST_TRAPS:]):
        console.warn(f"{where}: {console.counted(more, 'more such pattern')} under failed in gather/manifest.json")
