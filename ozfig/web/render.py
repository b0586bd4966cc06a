"""Pages that need a browser: the system's Chromium, driven by Playwright (the extra "render")."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.web.fetch import AGENT, Fetcher

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INSTALL = "install Chromium (apt install chromium) or run: playwright install chromium"
NOT_TEXT = {"image", "media", "font"}
SETTLE_SECONDS = 0.3


def missing() -> str:
    """What has to be installed before pages can be rendered; empty when everything is there."""
    if importlib.util.find_spec("playwright") is None:
        return 'pip install "ozfig[render]" and ' + INSTALL
    return "" if _program() or _own_browser() else INSTALL


def available() -> bool:
    """Whether pages can be rendered here."""
    return not missing()


def _program() -> str:
    """The system's Chromium; empty when there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), "")


def _own_browser() -> bool:
    """Whether Playwright has downloaded a Chromium of its own."""
    home = Path.home()
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    caches = [Path(named)] if named else [home / ".cache/ms-playwright", home / "Library/Caches/ms-playwright"]
    return any(any(cache.glob("chromium*")) for cache in caches)


class Browser:
    """A headless Chromium. Use it as `async with Browser(fetcher) as browser`.

    Its requests obey the fetcher's guard: private addresses are refused, pictures and fonts are not loaded.
    `connect_to` sends the requests for `host` to that server, as the fetcher does. Raises MissingExtra or
    UserError where no browser is installed.
    """

    def __init__(self, fetcher: Fetcher, host: str = "", connect_to: str = "") -> None:
        self._fetcher = fetcher
        self._mapped = host if connect_to else ""
        self._switches = [f"--user-agent={AGENT}", *SWITCHES]
        if connect_to:
            self._switches.append(f"--host-resolver-rules=MAP {host} {connect_to}")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            self._switches.append("--no-sandbox")  # Chromium refuses to start its sandbox as root

    async def __aenter__(self) -> Self:
        if importlib.util.find_spec("playwright") is None:
            raise MissingExtra("rendering pages", "render")
        if missing():
            raise UserError(f"no browser found; {missing()}")
        from playwright.async_api import Error, async_playwright

        self._error = Error
        self._driver = await async_playwright().start()
        try:
            self._browser = await self._driver.chromium.launch(
                executable_path=_program() or None, args=self._switches, headless=True
            )
        except Error as error:
            await self._driver.stop()
            raise OutsideError(f"the browser did not start: {str(error).splitlines()[0]}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._browser.close()
        await self._driver.stop()

    async def render(self, url: str) -> str:
        """The HTML of a page after its scripts have run and its text has settled. Raises OutsideError."""
        context = await self._browser.new_context()
        try:
            page = await context.new_page()
            await page.route("**/*", self._guard)
            await page.goto(url, wait_until="domcontentloaded", timeout=self._fetcher.manners.timeout * 1000)
            await self._settle(page)
            return str(await page.content())
        except self._error as error:
            raise OutsideError(f"{url}: not rendered ({str(error).splitlines()[0]})") from None
        finally:
            await context.close()

    async def _guard(self, route: Any) -> None:
        """Let a request of a page through, or not."""
        request = route.request
        parts = urlsplit(request.url)
        is_guarded = parts.scheme in ("http", "https") and parts.hostname != self._mapped
        if request.resource_type in NOT_TEXT or (is_guarded and not await self._fetcher.permits(request.url)):
            await route.abort()
        else:
            await route.continue_()

    async def _settle(self, page: Any, longest: float = 8.0) -> None:
        """Wait until the length of the visible text stays the same, at most `longest` seconds."""
        before = -1
        for _ in range(round(longest / SETTLE_SECONDS)):
            await asyncio.sleep(SETTLE_SECONDS)
            now = await page.evaluate("document.body ? document.body.innerText.length : 0")
            if now == before and now > 0:
                return
            before = now
