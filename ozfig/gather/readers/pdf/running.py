"""Running headers and footers and page numbers: what stands at the edge of several pages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from ozfig.gather.readers.pdf import lines
from ozfig.gather.readers.pdf.page import Page, Word

EDGE = 0.12  # share of the page's height at the top and at the bottom
MOST_ROWS = 3
SAME_PLACE = 3.0  # points
APART = 0.5  # heights of the line
FEW_PAGES = 5
NUMBER = re.compile(r"[-–—|·\s]*(?:page|seite|p\.)?\s*(?:#|[ivxlc]+)(?:\s*(?:/|of|von)\s*#)?[-–—|·\s]*", re.IGNORECASE)

Row = list[Word]


def drop(pages: Sequence[Page]) -> None:
    """Take the running lines out of the pages' words.

    A line is running when it is set apart from the text and stands, numbers aside, at the same place of the edge of
    two pages (of three in a document of more than five); when it begins or ends with a number that counts along with
    that many pages, as in headers that name the chapter; or when it is the outermost and only a page number.
    """
    edges = [(page, edge) for page in pages for edge in _edges(page)]
    places: dict[str, list[float]] = defaultdict(list)
    counted: Counter[tuple[int, int]] = Counter()
    for page, edge in edges:
        for row in edge:
            places[_text(row)].append(row[0].top)
        counted.update({key for row in edge for key in _counts(row, page)})
    needed = 2 if len(pages) <= FEW_PAGES else 3
    for page, edge in edges:
        gone: set[int] = set()
        for row in edge:
            if gone or _is_apart(row, page):
                counts = max((counted[key] for key in _counts(row, page)), default=0)
                is_number = row is edge[-1] and NUMBER.fullmatch(_text(row))
                if is_number or counts >= needed or _repeats(row, places[_text(row)], needed):
                    gone |= {id(word) for word in row}
        page.words = [word for word in page.words if id(word) not in gone]


def _edges(page: Page) -> list[list[Row]]:
    """The rows within the upper and within the lower edge of a page, a few each, from the inside out."""
    rows = lines.rows(page.words)
    top = [row for row in rows[:MOST_ROWS] if max(w.bottom for w in row) < EDGE * page.height]
    bottom = [row for row in rows[-MOST_ROWS:] if min(w.top for w in row) > (1 - EDGE) * page.height]
    return [top[::-1], [row for row in bottom if row not in top]]


def _is_apart(row: Row, page: Page) -> bool:
    """Whether white space separates a row from the text further inside."""
    top, bottom = min(w.top for w in row), max(w.bottom for w in row)
    own = {id(word) for word in row}
    if top < page.height / 2:
        inside = [w.top - bottom for w in page.words if id(w) not in own and w.top > top]
    else:
        inside = [top - w.bottom for w in page.words if id(w) not in own and w.bottom < bottom]
    return min(inside, default=bottom) > APART * (bottom - top)


def _counts(row: Row, page: Page) -> set[tuple[int, int]]:
    """How far the numbers at a row's ends are from the page's own number, each with the row's place."""
    ends = (re.fullmatch(r"\D{0,2}(\d{1,4})\D{0,2}", row[i].text) for i in (0, -1))
    return {(int(end[1]) - page.number, round(row[0].top / SAME_PLACE)) for end in ends if end}


def _text(row: Row) -> str:
    return re.sub(r"\d+", "#", lines.text_of(row))


def _repeats(row: Row, places: Sequence[float], needed: int) -> bool:
    return sum(abs(row[0].top - place) < SAME_PLACE for place in places) >= needed
