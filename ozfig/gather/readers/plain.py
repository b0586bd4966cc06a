"""Markdown, HTML and plain text."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ozfig.gather.readers import Read, Unreadable
from ozfig.web.extract import extract

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FIRST_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def text(path: Path) -> Read:
    """A text file as it is. Raises Unreadable when it is not text."""
    return Read("", _decoded(path).strip())


def html(path: Path) -> Read:
    """The main text of a page. Raises Unreadable when it is not text."""
    page = extract(_decoded(path))
    return Read(page.title, page.markdown)


def markdown(path: Path) -> Read:
    """A Markdown file: front matter names the title, else the first heading does. Raises Unreadable."""
    whole, named = _decoded(path), ""
    front = FRONT_MATTER.match(whole)
    if front:
        try:
            values = yaml.safe_load(front[1])
        except (yaml.YAMLError, ValueError, RecursionError):
            values = None  # two rules with prose between them, not front matter
        if isinstance(values, dict):
            named, whole = str(values.get("title") or ""), whole[front.end() :]
    heading = FIRST_HEADING.search(whole)
    return Read(named or (heading[1] if heading else ""), whole.strip())


def _decoded(path: Path) -> str:
    """A file's text from UTF-8 or marked UTF-16. Raises Unreadable."""
    data = path.read_bytes()
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in data[:4096] and not is_utf16:
        raise Unreadable("not text")
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Unreadable("not text in UTF-8; save it as UTF-8") from None
