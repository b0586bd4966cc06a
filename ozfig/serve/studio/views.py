"""The HTML of the runs' pages, from one set of templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment

from ozfig import __version__, pages
from ozfig.serve.guard import POLICY

TEMPLATES = Path(__file__).parents[1] / "templates"
NO_STORE = {"Cache-Control": "no-store"}
WITH_FRAME = {**NO_STORE, "Content-Security-Policy": f"{POLICY}; frame-src 'self'"}


@cache
def _environment() -> Environment:
    found = pages.environment(TEMPLATES)
    found.filters.update(duration=duration, size=size)
    found.globals["version"] = __version__
    return found


def html(template: str, /, **values: Any) -> str:
    """A template of `templates/studio`, filled in."""
    return _environment().get_template(f"studio/{template}.html").render(**values)


def page(template: str, /, status: int = 200, framing: bool = False, **values: Any) -> HTMLResponse:
    """A whole page; `framing` allows it a frame of this server's own."""
    return HTMLResponse(html(template, **values), status, headers=WITH_FRAME if framing else NO_STORE)


def duration(seconds: float) -> str:
    """A time for people: 0.5 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(mb: float) -> str:
    """An amount of memory or disk, given in MB, for people: 0.4 MB, 36 MB, 2.1 GB."""
    if mb >= 1024:
        return f"{mb / 1024:.1f} GB"
    return f"{mb:.1f} MB" if mb < 9.95 else f"{mb:.0f} MB"
