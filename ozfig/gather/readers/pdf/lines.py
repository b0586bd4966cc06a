"""Words put into lines."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ozfig.gather.readers.pdf.page import Box, Page, Table, Word

TOUCHING = 0.1  # ems between two pieces of one word that are set in different fonts
MOSTLY = 0.9
LARGER, SMALLEST_HEADING = 1.12, 0.95  # how large a heading's letters are, of the body's
USUAL_SIZE, USUAL_PITCH = 10.0, 1.25  # points, ems
MOSTLY_BOLD = 0.4  # share of bold lines from which bold says nothing
LEADERS = re.compile(r"(?:\. ?){4,}\s*\w{0,5}$")


@dataclass(frozen=True)
class Line(Box):
    """Words on one baseline, from left to right; size and weight are those of most of its letters."""

    text: str
    size: float
    is_bold: bool
    is_mono: bool


@dataclass(frozen=True)
class Region:
    """Lines and tables that are read from the top down, with the left and right edge of their text."""

    page: int
    parts: list[Line | Table] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0


@dataclass(frozen=True)
class Style:
    """How a document's body is set: its size in points, the usual pitch of its lines in ems, whether it is bold."""

    size: float
    pitch: float = USUAL_PITCH
    is_bold: bool = False

    @classmethod
    def of(cls, size: float, regions: Iterable[Region]) -> Style:
        """The style of a body of a size."""
        pitches, bold = [], []
        for region in regions:
            found = [p for p in region.parts if isinstance(p, Line) and abs(p.size - size) < 1]
            bold += [line.is_bold for line in found]
            pitches += [
                (b.bottom - a.bottom) / size for a, b in pairwise(found) if size < b.bottom - a.bottom < 3 * size
            ]
        # below the middle, since paragraphs of one line each stand further apart
        pitch = statistics.quantiles(pitches, n=4)[0] if len(pitches) > 1 else USUAL_PITCH
        return cls(size, pitch, sum(bold) > MOSTLY_BOLD * len(bold))

    def is_large(self, line: Line) -> bool:
        """Whether a line is set in larger letters than the body."""
        return line.size >= LARGER * self.size

    def is_heading(self, line: Line) -> bool:
        """Whether a line stands out by its size or weight."""
        is_heavy = line.is_bold and not self.is_bold and line.size > SMALLEST_HEADING * self.size
        return not line.is_mono and (self.is_large(line) or is_heavy)


def body_size(pages: Iterable[Page]) -> float:
    """The font size of most letters, in points."""
    letters: Counter[float] = Counter()
    for page in pages:
        for word in page.words:
            letters[round(word.size * 2) / 2] += len(word.text)
    return max(letters, key=lambda size: (letters[size], size), default=USUAL_SIZE)


def region(items: Sequence[Word | Table], page: int) -> Region:
    """What stands in one column as lines and tables, from the top down; lines of a table of contents are left out."""
    found = [
        line for row in rows(i for i in items if isinstance(i, Word)) if not LEADERS.search((line := _line(row)).text)
    ]
    parts: list[Line | Table] = [*found, *(i for i in items if isinstance(i, Table))]
    parts.sort(key=lambda part: part.top)
    left, right = min((line.x0 for line in found), default=0.0), max((line.x1 for line in found), default=0.0)
    return Region(page, parts, left, right)


def rows(boxes: Iterable[Word]) -> list[list[Word]]:
    """Words side by side, each row from left to right, from the top down."""
    found: list[list[Word]] = []
    for box in sorted(boxes, key=lambda b: (b.top + b.bottom, b.x0)):
        # a raised sign is compared with the tallest of its row, not with its neighbour
        row = next((row for row in reversed(found[-3:]) if max(row, key=lambda b: b.height).shares_row(box)), None)
        if row is None:
            found.append([box])
        else:
            row.append(box)
    return [sorted(row, key=lambda b: b.x0) for row in found]


def text_of(words: Sequence[Word]) -> str:
    """The words of a row as text."""
    text = words[0].text
    for before, word in pairwise(words):
        text += ("" if word.x0 - before.x1 < TOUCHING * max(word.size, before.size) else " ") + word.text
    return text


def _line(words: list[Word]) -> Line:
    sizes: Counter[float] = Counter()
    for word in words:
        sizes[word.size] += len(word.text)
    size = max(sizes, key=lambda s: (sizes[s], s))
    letters = sum(sizes.values())
    place = min(w.x0 for w in words), min(w.top for w in words), max(w.x1 for w in words)
    usual = [w.bottom for w in words if w.size == size]
    return Line(
        *place,
        statistics.median_low(usual),
        text_of(words),
        size,
        sum(len(w.text) for w in words if w.is_bold) > MOSTLY * letters,
        sum(len(w.text) for w in words if w.is_mono) > MOSTLY * letters,
    )
