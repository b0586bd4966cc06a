"""Passages: a document cut along its headings, each piece with the path of titles that leads to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ozfig.types import Document

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
WORD = re.compile(r"\w+")
ENOUGH_OVERLAP = 0.6


@dataclass(frozen=True)
class Passage:
    """A piece of a document. `title_path` is its headings, outermost first, such as "Prices > Winter storage"."""

    uri: str
    title_path: str
    text: str

    def with_title(self) -> str:
        """The text under its title path: what a model is shown."""
        return f"{self.title_path}\n\n{self.text}" if self.title_path else self.text


@dataclass(frozen=True)
class Section:
    """The text under one heading, before any other heading; `path` holds the headings that lead to it."""

    path: tuple[str, ...]
    text: str

    @property
    def heading(self) -> str:
        """The section's own heading; empty for text before the first one."""
        return self.path[-1] if self.path else ""


def sections(document: Document) -> list[Section]:
    """A document's sections in reading order; headings inside code blocks are text."""
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False

    def close() -> None:
        text = "\n".join(lines).strip()
        if text:
            found.append(Section(tuple(title for _, title in path), text))
        lines.clear()

    for line in document.text.splitlines():
        fenced ^= bool(FENCE.match(line))
        heading = None if fenced else HEADING.match(line)
        if heading:
            close()
            level = len(heading[1])
            path[:] = [(depth, title) for depth, title in path if depth < level] + [(level, plain(heading[2]))]
        else:
            lines.append(line)
    close()
    return found


def passages(document: Document, max_words: int = 220) -> list[Passage]:
    """Passages of at most about `max_words` words; paragraphs, tables and code blocks are not cut."""
    return [
        Passage(document.uri, " > ".join(section.path) or document.title, piece)
        for section in sections(document)
        for piece in _pieces(section.text, max_words)
    ]


def _pieces(text: str, max_words: int) -> Iterator[str]:
    """Whole blocks, gathered until they are long enough."""
    held: list[str] = []
    words = 0
    for block in blocks(text):
        size = len(WORD.findall(block))
        if held and words + size > max_words:
            yield "\n\n".join(held)
            held, words = [], 0
        held.append(block)
        words += size
    if held:
        yield "\n\n".join(held)


def blocks(text: str) -> list[str]:
    """Paragraphs, lists, tables and code blocks: what blank lines part, a code block being one."""
    found: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        if line.strip() or fenced:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def find_passage(candidates: Sequence[Passage], evidence: str) -> Passage | None:
    """The passage that holds a quotation, word for word, else the one with most of its words; None below 60 %."""
    quoted = _words(evidence)
    if not quoted or not candidates:
        return None
    for passage in candidates:
        if f" {' '.join(quoted)} " in f" {' '.join(_words(passage.with_title()))} ":
            return passage
    wanted = set(quoted)
    shares = [len(wanted & set(_words(p.with_title()))) / len(wanted) for p in candidates]
    best = max(range(len(shares)), key=shares.__getitem__)
    return candidates[best] if shares[best] >= ENOUGH_OVERLAP else None


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(plain(text))]


def plain(text: str) -> str:
    """Markdown's marks taken off: links become their text, emphasis and code their words."""
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<(https?://[^>]+)>", r"\1", text)
    text = re.sub(r"(\*\*|__)(.+?)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])[*_](\S(?:.*?\S)?)[*_](?![\w*])", r"\1", text)
    return re.sub(r"`([^`]*)`", r"\1", re.sub(r"\\([\\`*_{}\[\]()#+.!|>~-])", r"\1", text)).strip()
