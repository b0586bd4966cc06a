"""Pages that need a browser: the system's Chromium, driven by Playwright (the extra "render")."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.web.fetch import Fetcher, Reply
from ozfig.web.robots import AGENT

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = "install Chromium (apt install chromium) or run: playwright install chromium"
# Chromium itself reaches nothing: no name and no number, not through WebRTC either
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND", "--force-webrtc-ip-handling-policy=disable_non_proxied_udp"]
NOT_TEXT = {"image", "media", "font", "ping", "eventsource", "websocket", "manifest", "cspviolationreport"}
# what a page asks for again and again; kept for the pages after it
KEPT, MOST_KEPT = {"script", "stylesheet"}, 50_000_000
STEP_SECONDS, SETTLE_SECONDS = 0.2, 8.0
# steps without a change of the text or a request under way; more of them while there is hardly any text
STEPS_OF_CALM, STEPS_OF_DOUBT, HARDLY_ANY = 2, 6, 200
CLOSING_SECONDS = 5.0
# what content() leaves out: open shadow roots. They are written out in their hosts, with what fills their slots
WRITE_OUT_SHADOWS = """() => {
  const filled = (host, box) => {
    for (const slot of box.querySelectorAll('slot')) {
      const own = [...host.childNodes].filter(n => (n.slot || '') === slot.name && (n.nodeType === 1 || !slot.name));
      if (own.length) slot.replaceWith(...own.map(n => n.cloneNode(true)));
    }
    return box;
  };
  const copy = (root) => {
    const box = document.implementation.createHTMLDocument('').createElement('div');
    for (const node of root.childNodes) box.append(box.ownerDocument.importNode(node, true));
    const [these, those] = [root, box].map(n => [...n.querySelectorAll('*')]);
    these.forEach((one, i) => {
      if (one.shadowRoot) those[i].replaceChildren(...filled(one, copy(one.shadowRoot)).childNodes);
    });
    return box;
  };
  if (!document.body || ![...document.body.querySelectorAll('*')].some(n => n.shadowRoot)) return;
  document.body.replaceChildren(...copy(document.body).childNodes);
}"""


def switches() -> list[str]:
    """The command line of a Chromium that asks for nothing on its own."""
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*quiet, "--no-sandbox"] if is_root else quiet  # Chromium refuses to start its sandbox as root


def missing() -> str:
    """What has to be installed before pages can be rendered; empty when everything is there."""
    if importlib.util.find_spec("playwright") is None:
        return 'pip install "ozfig[render]" and ' + INSTALL
    return "" if program() or _own_browser() else INSTALL


def available() -> bool:
    """Whether pages can be rendered here."""
    return not missing()


def program() -> str:
    """The system's Chromium; empty when there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), "")


def _own_browser() -> bool:
    """Whether Playwright has downloaded a Chromium of its own."""
    home = Path.home()
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    caches = [Path(named)] if named else [home / ".cache/ms-playwright", home / "Library/Caches/ms-playwright"]
    return any(any(cache.glob("chromium*")) for cache in caches)


class Browser:
    """A headless Chromium for one crawl. Use it as `async with Browser(fetcher) as browser`.

    `render` may be called several times at once: `at_once` pages are open at a time, each in a context of its own
    (no cookies or storage pass from one page to another). A browser that died is started anew, once for each page.

    Chromium itself has no network: its resolver answers nothing. Every request of a page is made by the fetcher,
    which looks the name up once, refuses private addresses and connects to the very address that it checked, at the
    pace of its host; so a page cannot reach a private address by a name that changes, a redirect, a web socket, WebRTC
    or a service worker. Where the fetcher goes through a proxy, that looks names up itself: then only the numbers that
    this machine sees are checked. Only GET is passed on, without the page's own headers and cookies: a page whose text
    comes by POST or after a log-in stays empty. Pictures, media and fonts are not loaded. robots.txt is the caller's
    matter: it is not asked about a page's scripts and data.

    `connect_to` stands in for `host`, as in the fetcher; with it no other host is reached.
    Raises MissingExtra or UserError where no browser is installed.
    """

    def __init__(self, fetcher: Fetcher, host: str = "", connect_to: str = "", at_once: int = 3) -> None:
        self._fetcher = fetcher
        self._only = host if connect_to else ""
        self._room = asyncio.Semaphore(at_once)
        self._starting = asyncio.Lock()
        self._kept: dict[str, Reply] = {}
        self._kept_bytes = 0
        self._browser: Any = None

    async def __aenter__(self) -> Self:
        if importlib.util.find_spec("playwright") is None:
            raise MissingExtra("rendering pages", "render")
        if missing():
            raise UserError(f"no browser found; {missing()}")
        from playwright.async_api import Error, async_playwright

        self._error = Error
        self._driver = await async_playwright().start()
        try:
            await self._running()
        except BaseException:
            await self._driver.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        finally:
            await self._driver.stop()

    async def render(self, url: str) -> str:
        """The HTML of a page after its scripts have run and its text has settled. Raises OutsideError."""
        longest = self._fetcher.manners.timeout + SETTLE_SECONDS
        async with self._room:
            for is_last in (False, True):
                browser = await self._running()
                try:
                    async with asyncio.timeout(longest):
                        return await self._shown(browser, url)
                except TimeoutError:
                    raise OutsideError(f"{url}: not rendered (not done after {longest:g} s)") from None
                except self._error as error:
                    if is_last or browser.is_connected():
                        raise OutsideError(f"{url}: not rendered ({str(error).splitlines()[0]})") from None
        raise AssertionError("the last attempt returns or raises")

    async def _running(self) -> Any:
        """The browser, started if it is not there or died. Raises OutsideError."""
        async with self._starting:
            if self._browser is None or not self._browser.is_connected():
                arguments = [f"--user-agent={AGENT}", *switches(), *OFFLINE]
                try:
                    self._browser = await self._driver.chromium.launch(
                        executable_path=program() or None, args=arguments, headless=True
                    )
                except self._error as error:
                    raise OutsideError(f"the browser did not start: {str(error).splitlines()[0]}") from None
        return self._browser

    async def _stop(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            await self._browser.close()

    async def _shown(self, browser: Any, url: str) -> str:
        """One page in a context of its own."""
        context = await browser.new_context(service_workers="block", accept_downloads=False)
        visit = _Visit(self._fetched, self._error)
        try:
            await context.route("**/*", visit.answer)
            await context.route_web_socket("**/*", lambda socket: socket.close())
            page = await context.new_page()
            await page.goto(url, wait_until="domcontentloaded", timeout=0)  # `render` keeps the time
            await visit.settle(page)
            await page.evaluate(WRITE_OUT_SHADOWS)
            return _with_base(str(await page.content()), url, page.url)
        finally:
            await self._close(context)

    async def _close(self, context: Any) -> None:
        """Close a page; a browser that cannot (a script that never ends) is ended, and started anew for the next."""
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await context.close()
        except TimeoutError:
            await self._stop()
        except self._error as error:
            if self._browser.is_connected():  # else it died, and the page with it
                raise OutsideError(f"the browser does not close a page: {error}") from None

    async def _fetched(self, url: str, kind: str) -> Reply:
        """What a server answers to a page's request. Raises UserError or OutsideError."""
        if url in self._kept:
            return self._kept[url]
        if self._only and urlsplit(url).hostname != self._only:
            raise UserError(f"{url}: with connect_to only {self._only} is reached")
        reply = await self._fetcher.follow(url, kinds=())
        if kind in KEPT and reply.status == 200 and self._kept_bytes + len(reply.body) < MOST_KEPT:
            self._kept_bytes += len(reply.body)
            self._kept[url] = reply
        return reply


class _Visit:
    """One page while it is open: answers its requests and knows which are under way."""

    def __init__(self, fetch: Callable[[str, str], Awaitable[Reply]], error: type[Exception]) -> None:
        self._fetch, self._error = fetch, error
        self._under_way = 0

    async def answer(self, route: Any) -> None:
        """Answer a request of the page, or refuse it."""
        request = route.request
        is_read = urlsplit(request.url).scheme in ("http", "https") and request.method == "GET"
        if not is_read or request.resource_type in NOT_TEXT:
            await self._told(route.abort())
            return
        self._under_way += 1
        try:
            reply = await self._fetch(request.url, request.resource_type)
            if request.resource_type == "document" and reply.url not in (request.url, request.url.split("#")[0]):
                # the page must know where it was redirected to
                answer = route.fulfill(content_type="text/html", body=_moved(reply.url))
            else:
                answer = route.fulfill(status=reply.status, headers=_headers(reply, request), body=reply.body)
            await self._told(answer)
        except (UserError, OutsideError):
            await self._told(route.abort())
        finally:
            self._under_way -= 1

    async def _told(self, answer: Awaitable[None]) -> None:
        """Hand an answer over; a page that was closed meanwhile does not need it."""
        with contextlib.suppress(self._error):
            await answer

    async def settle(self, page: Any) -> None:
        """Wait until no request is under way and the visible text stays the same, at most SETTLE_SECONDS."""
        before, calm = -1, 0
        for _ in range(round(SETTLE_SECONDS / STEP_SECONDS)):
            await asyncio.sleep(STEP_SECONDS)
            now = await page.evaluate("document.body ? document.body.innerText.length : 0")
            calm = calm + 1 if now == before and not self._under_way else 0
            if calm >= (STEPS_OF_CALM if now >= HARDLY_ANY else STEPS_OF_DOUBT):
                return
            before = now


def _moved(url: str) -> str:
    """A page that leads to another one, as a redirect does."""
    target = json.dumps(url).replace("<", "\\u003c")
    return f"<script>location.replace({target})</script>"


def _with_base(html: str, url: str, shown: str) -> str:
    """Keep links relative to the address that the page's scripts have moved to."""
    if urlsplit(url).path == urlsplit(shown).path or "<base " in html:
        return html
    return html.replace("<head>", f'<head><base href="{escape(shown)}">', 1)


def _headers(reply: Reply, request: Any) -> dict[str, str]:
    """The content type, and leave for the page to read it: nothing here is private to anyone."""
    headers = {"access-control-allow-origin": request.headers.get("origin", "*")}
    headers["access-control-allow-credentials"] = "true"
    return headers | ({"content-type": reply.content_type} if reply.content_type else {})
