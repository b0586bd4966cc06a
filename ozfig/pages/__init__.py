"""Pages for people that are one file each: style and charts are inside, nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

HERE = Path(__file__).parent


def environment(templates: Path) -> Environment:
    """Templates of a folder, with the common macros; names that are not given are errors."""
    found = Environment(
        loader=FileSystemLoader([templates, HERE]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["strong"] = strong
    return found


def style(*more: Path) -> Markup:
    """The style that all pages share, and what a page adds to it."""
    return Markup(
        "\n".join(path.read_text(encoding="utf-8") for path in (HERE / "tokens.css", HERE / "paper.css", *more))
    )


def strong(text: str) -> Markup:
    """Text with **words** in bold."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text))))
