"""From the pages of a crawl to documents: copies and repeated blocks out, pages with little text flagged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ozfig.gather import Gathered
from ozfig.gather.places import Places
from ozfig.retrieval.chunk import blocks
from ozfig.types import Document
from ozfig.web.extract import LITTLE, Page
from ozfig.web.urls import visible

WORD = re.compile(r"\w+")
# a canonical link is believed when its page holds this share of the copy's words
SAME = 0.8
# a block is part of the frame, not of the text, when more than this share of at least so many pages have it
FRAME_SHARE, FRAME_PAGES = 0.5, 6


@dataclass(frozen=True)
class Found:
    """A page that counts. `is_shell` says that only a browser would show its text, `reason` why there was none."""

    url: str
    page: Page
    is_shell: bool = False
    reason: str = ""


def to_documents(found: Sequence[Found], places: Places, source: str) -> Gathered:
    """The documents of a site, sorted by address. Pages with no text at all are named in `failed`."""
    kept = _without_copies(found, places)
    frame = _frame([f.page.markdown for f in kept])
    gathered = Gathered(origin=source, looked_at=f"{len(found)} pages of {source}")
    gathered.counts = {"copies": len(found) - len(kept), "repeated_blocks": len(frame)}
    for one in kept:
        text = _without(one.page.markdown, frame)
        gathered.needs_browser += one.is_shell
        if text:
            note = _note(text, one.is_shell, one.reason)
            gathered.documents.append(Document.make(visible(one.url), one.page.title, text, source, note))
        else:
            why = " without JavaScript" if one.is_shell else f" ({one.reason})" if one.reason else ""
            gathered.failed.append(f"{visible(one.url)}: no text{why}")
    gathered.documents.sort(key=lambda d: (d.uri, d.id))
    return gathered


def _note(text: str, needs_browser: bool, reason: str) -> str:
    """What a person should know of a page; empty when it is in order."""
    if len(text) >= LITTLE:
        return ""
    if needs_browser:
        return "needs JavaScript: only the text without it is here"
    return f"little text: {len(text)} characters" + (f" ({reason})" if reason else "")


def _without_copies(found: Sequence[Found], places: Places) -> list[Found]:
    """Pages that are no copy of another one: of the page that they name as canonical, or the same text."""
    by_url = {f.url: f for f in found}
    originals: dict[str, Found] = {}
    for one in sorted(found, key=lambda f: (len(f.url), f.url)):
        target = by_url.get(places.listed(one.page.canonical)) if one.page.canonical else None
        if target and target.url != one.url and not _names(target, one, places) and _holds(target, one):
            continue
        # client-side routes whose text only a browser would show are not the same page
        originals.setdefault(one.page.markdown or one.url, one)
    return sorted(originals.values(), key=lambda f: f.url)


def _names(target: Found, one: Found, places: Places) -> bool:
    """Whether two pages name each other, in which case neither is the original."""
    return places.listed(target.page.canonical) == one.url


def _holds(target: Found, one: Found) -> bool:
    """Whether most words of a page are on the page that it names as its original."""
    words = set(WORD.findall(one.page.markdown.lower()))
    there = set(WORD.findall(target.page.markdown.lower()))
    return bool(words) and len(words & there) >= SAME * len(words)


def _frame(texts: Sequence[str]) -> set[str]:
    """Blocks that stand on most pages of a site; headings and code are never counted among them."""
    if len(texts) < FRAME_PAGES:
        return set()
    counts = Counter(block for text in texts for block in set(blocks(text)) if not block.startswith(("#", "```")))
    return {block for block, n in counts.items() if n > FRAME_SHARE * len(texts)}


def _without(text: str, frame: set[str]) -> str:
    """A text without the blocks of the frame."""
    if not frame:
        return text
    return "\n\n".join(block for block in blocks(text) if block not in frame).strip()
