"""Passages: a document cut along its headings, each piece with the path of titles that leads to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ozfig.files import sha256_value
from ozfig.types import Document, Row

Count = Callable[[str], int]

HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
FENCE = re.compile(r"^\s*(```|~~~)")
WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
RULE = re.compile(r"^\s*\|?\s*:?-{2,}")  # the line between a table's header and its rows
ENOUGH_OVERLAP = 0.6
LAID_OUT = re.compile(r"^\s*(?:\||```|~~~)", re.MULTILINE)  # rows and fences, which mean nothing without the rest
SMALLEST = 16  # tokens that are left for the text, however long the headings are


@dataclass(frozen=True)
class Passage(Row):
    """A piece of a document. `title_path` is its headings, outermost first, such as "Prices > Winter storage".

    `source` is the document's: the source of the recipe that it came from.
    """

    uri: str
    title_path: str
    text: str
    source: str = ""

    @property
    def id(self) -> str:
        """The hash of address, headings and text."""
        return sha256_value([self.uri, self.title_path, self.text])[:16]

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
    """A document's sections in reading order, without empty ones; headings inside code blocks are text."""
    return [section for section in _outline(document) if section.text]


def _outline(document: Document) -> Iterator[Section]:
    """What stands before the first heading and under each, also where that is nothing."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in document.text.splitlines():
        fenced ^= bool(FENCE.match(line))
        heading = None if fenced else HEADING.match(line)
        if heading:
            yield Section(tuple(title for _, title in path), "\n".join(lines).strip())
            level = len(heading[1])
            path = [(depth, title) for depth, title in path if depth < level] + [(level, plain(heading[2]))]
            lines = []
        else:
            lines.append(line)
    yield Section(tuple(title for _, title in path), "\n".join(lines).strip())


def _told(document: Document) -> Iterator[Section]:
    """The sections with something to read; a heading with nothing below it is the text of the one above it."""
    outline = list(_outline(document))
    for section, following in zip(outline, [*outline[1:], Section((), "")], strict=True):
        if section.text:
            yield section
        elif section.path and following.path[: len(section.path)] != section.path:
            yield Section(section.path[:-1], section.heading)


def words(text: str) -> int:
    """The number of words and numbers in a text: an estimate of its tokens where no tokenizer is at hand."""
    return len(WORD.findall(text))


def passages(document: Document, max_tokens: int = 256, overlap: int = 32, count: Count | None = None) -> list[Passage]:
    """Passages of at most `max_tokens`, headings included, as `count` counts them (words, if not given).

    No passage crosses a heading. Paragraphs, lists, tables and code blocks stay whole where they fit; one that
    does not is cut between sentences, rows (the header is repeated) or lines, and only a sentence that is too
    long between words. A passage begins with the last whole sentences, up to `overlap` tokens, of the one
    before it under the same heading. Longer than `max_tokens` are only a single word, and a passage under
    headings that leave less than 16 tokens.
    """
    count = count or words
    found = []
    for section in _told(document):
        title = " > ".join(section.path) or document.title
        room = max(SMALLEST, max_tokens - count(f"{title}\n\n"))
        pieces = _Filler(room, min(overlap, room // 2), count).fill(section.text)
        found += [Passage(document.uri, title, piece, document.source) for piece in pieces]
    return found


class _Filler:
    """Fills passages of at most `room` tokens with parts of a section, in order."""

    def __init__(self, room: int, overlap: int, count: Count) -> None:
        self._room, self._overlap, self._count = room, overlap, count

    def fill(self, text: str) -> Iterator[str]:
        """The passages of a section's text."""
        held = ""
        for block in blocks(text):
            gap = "\n\n"
            for part in self._parts(block):
                longer = f"{held}{gap}{part}" if held else part
                if held and self._count(longer) > self._room:
                    yield held
                    longer = self._after(held, gap, part)
                held, gap = longer, _joint(block)
        if held:
            yield held

    def _after(self, before: str, gap: str, part: str) -> str:
        """The beginning of the next passage: the last sentences of the one before, where they fit."""
        for boundary in SENTENCE.finditer(before):
            kept = before[boundary.end() :]
            if self._count(kept) <= self._overlap and not LAID_OUT.search(kept):
                longer = f"{kept}{gap}{part}"
                if self._count(longer) <= self._room:
                    return longer
        return part

    def _parts(self, block: str) -> list[str]:
        """The block itself where it fits, else what it can be cut into."""
        if self._count(block) <= self._room:
            return [block]
        lines = block.split("\n")
        if FENCE.match(lines[0]):
            end = max(1, len(lines) - bool(FENCE.match(lines[-1])))
            return self._framed(lines[:1], lines[1:end], lines[end:])
        if len(lines) > 2 and RULE.match(lines[1]) and 2 * self._count("\n".join(lines[:2])) <= self._room:
            return self._framed(lines[:2], lines[2:], [])
        return [part for sentence in SENTENCE.split(block) for part in self._by_words(sentence)]

    def _framed(self, head: list[str], lines: list[str], tail: list[str]) -> list[str]:
        """Groups of lines, each between the same first and last lines: a table's header, a code block's fences."""
        groups: list[list[str]] = [[]]
        for line in lines:
            if groups[-1] and self._count("\n".join([*head, *groups[-1], line, *tail])) > self._room:
                groups.append([])
            groups[-1].append(line)
        framed = ["\n".join([*head, *group, *tail]) for group in groups]
        return [part for text in framed for part in self._by_words(text)]

    def _by_words(self, text: str) -> list[str]:
        """A text cut between words where it is too long; a single word is never cut."""
        if self._count(text) <= self._room:
            return [text] if text.strip() else []
        pieces, held = [], ""
        for word in text.split():
            longer = f"{held} {word}" if held else word
            if held and self._count(longer) > self._room:
                pieces.append(held)
                longer = word
            held = longer
        return [*pieces, held]


def _joint(block: str) -> str:
    """What stands between two parts of one block: lines stay lines, sentences follow one another."""
    return "\n" if "\n" in block else " "


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
