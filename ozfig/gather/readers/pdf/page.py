"""What stands on a page: words with their places and fonts, and tables that are drawn with lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

BOLD = re.compile(r"bold|black|heavy|demi|cmbx|[-,]bd\b|-medi(?!u)", re.IGNORECASE)
MONO = re.compile(r"mono|nimbusmon|courier|consol|menlo|typewriter|cmtt|\bcode", re.IGNORECASE)
SAME_WORD = 0.15  # ems between two letters of one word
HALF = 0.5
SMALLEST_DOT, LARGEST_DOT, SMALL_DOT = 1.5, 8.0, 0.7  # points, points, ems
NEAR = 2.5  # ems between a bullet and its text


@dataclass(frozen=True)
class Box:
    """A rectangle in points; `top` and `bottom` are counted from the page's top."""

    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def height(self) -> float:
        """From top to bottom, in points."""
        return self.bottom - self.top

    def shares_row(self, other: Box) -> bool:
        """Whether more than half of the lower of two boxes is beside the other."""
        overlap = min(self.bottom, other.bottom) - max(self.top, other.top)
        return overlap > HALF * min(self.height, other.height)


@dataclass(frozen=True)
class Word(Box):
    """A word in one font."""

    text: str
    size: float
    is_bold: bool = False
    is_mono: bool = False


@dataclass(frozen=True)
class Table(Box):
    """A table's cells, row by row."""

    rows: tuple[tuple[str, ...], ...]


@dataclass
class Page:
    """A page's words outside of tables, and its tables."""

    number: int
    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    has_pictures: bool = False


def page_of(page: Any) -> Page:
    """The words and tables of a pdfplumber page; turned text (stamps, watermarks) is left out."""
    seen: set[tuple[str, int, int]] = set()

    def is_text(thing: dict[str, Any]) -> bool:
        if thing["object_type"] != "char":
            return True
        if not thing["upright"] or thing["size"] <= 1:
            return False
        # a letter that is set twice, a hair apart, is how some programs write in bold
        text, x, y = thing["text"], round(thing["x0"]), round(thing["top"])
        if text.strip() and any((text, x + i, y) in seen for i in (-1, 0, 1)):
            return False
        seen.add((text, x, y))
        return True

    upright = page.filter(is_text)
    tables = [table for found in upright.find_tables() if (table := _table(found)) is not None]
    raw = upright.extract_words(x_tolerance_ratio=SAME_WORD, y_tolerance=2, extra_attrs=["fontname", "size"])
    words = [word for w in raw if (word := _word(w)).text and not any(_holds(table, word) for table in tables)]
    words += list(_drawn_bullets((*page.curves, *page.rects), words))
    return Page(page.page_number, page.width, page.height, words, tables, bool(page.images))


def _word(raw: dict[str, Any]) -> Word:
    font = raw["fontname"] if isinstance(raw["fontname"], str) else ""
    place = raw["x0"], raw["top"], raw["x1"], raw["bottom"]
    text = raw["text"].replace("\0", "").strip()
    return Word(*place, text, raw["size"], bool(BOLD.search(font)), bool(MONO.search(font)))


def _drawn_bullets(shapes: Iterable[dict[str, Any]], words: Sequence[Word]) -> Iterator[Word]:
    """Bullets that are no letters but small round or square shapes before a line, as browsers draw them."""
    for shape in shapes:
        width, height = shape["width"], shape["height"]
        if not SMALLEST_DOT < width < LARGEST_DOT or abs(width - height) > width / 4:
            continue
        y = (shape["top"] + shape["bottom"]) / 2
        beside = [w for w in words if w.top < y < w.bottom and width < SMALL_DOT * w.size]
        after = [w for w in beside if 0 <= w.x0 - shape["x1"] < NEAR * w.size]
        if after and not any(w.x1 > shape["x0"] - NEAR * w.size and w.x0 < shape["x0"] for w in beside):
            word = min(after, key=lambda w: w.x0)
            yield Word(shape["x0"], word.top, shape["x1"], word.bottom, "•", word.size)


def _table(found: Any) -> Table | None:
    """A table with text in two rows and columns at least; frames, rules and drawings are none."""
    rows = tuple(tuple((cell or "").strip() for cell in row) for row in found.extract())
    rows = tuple(row for row in rows if any(row))
    # columns and rows without any text come from double lines
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows)] if rows else []
    rows = tuple(tuple(row[i] for i in kept) for row in rows)
    filled = sum(bool(cell) for row in rows for cell in row)
    if len(rows) < 2 or len(kept) < 2 or filled < HALF * len(rows) * len(kept):
        return None
    x0, top, x1, bottom = found.bbox
    return Table(x0, top, x1, bottom, rows)


def _holds(table: Table, word: Word) -> bool:
    """Whether the middle of a word is in a table."""
    x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return table.x0 <= x <= table.x1 and table.top <= y <= table.bottom
