"""Pages that hold no text until their scripts have run: a real browser, driven by Playwright (extra `render`)."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from ozfig.errors import MissingExtra, UserError

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SETTLED_MS = 15_000


def browser_path() -> str:
    """The system's Chromium; empty when there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


def available() -> bool:
    """Whether pages can be rendered on this machine."""
    return find_spec("playwright") is not None and bool(browser_path())


class Browser:
    """A headless browser for one crawl. Use as an async context manager."""

    def __init__(self, url: str, connect_to: str = "") -> None:
        """With `connect_to` the browser, too, reaches the site of `url` at that host:port."""
        self.rules = f"--host-resolver-rules=MAP {urlsplit(url).netloc} {connect_to}" if connect_to else ""
        self._playwright: Any = None
        self._browser: Any = None

    async def __aenter__(self) -> Self:
        """Start the browser. Raises MissingExtra or UserError that says what to install."""
        if find_spec("playwright") is None:
            raise MissingExtra("render: always", "render")
        if not browser_path():
            raise UserError("render: always needs Chromium on this machine (Debian package: chromium)")
        from playwright.async_api import async_playwright

        self._playwright = await async_playwright().start()
        rootless = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses its sandbox to root
        arguments = [*QUIET, *rootless, *([self.rules] if self.rules else [])]
        self._browser = await self._playwright.chromium.launch(executable_path=browser_path(), args=arguments)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the browser."""
        await self._browser.close()
        await self._playwright.stop()

    async def html(self, url: str) -> str:
        """A page's HTML once its network has been quiet; what is there after 15 seconds if it never is."""
        from playwright.async_api import TimeoutError as Slow

        page = await self._browser.new_page()
        try:
            with suppress(Slow):  # a page that polls for ever has shown its text long before
                await page.goto(url, wait_until="networkidle", timeout=SETTLED_MS)
            return str(await page.content())
        finally:
            await page.close()
