"""The reading order of a page: columns are found by the white gutters between them, and read one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ozfig.gather.readers.pdf import lines
from ozfig.gather.readers.pdf.page import Box, Page, Table, Word

Item = Word | Table
NARROWEST = 0.8  # ems of a gutter
FEWEST_ROWS = 3  # that have text on both sides of a gutter
CERTAIN_ROWS = 6  # with so many the gutter is looked for on the other pages too
SAME_EDGE = 3.0  # points
APART = 1.0  # line heights between a column's end and what follows both columns


@dataclass(frozen=True)
class Gutter:
    """White space at `x` from `top` to `bottom`, with text on both sides in `rows` rows."""

    x: float
    top: float
    bottom: float
    rows: int


class Order:
    """The reading order of a document's pages. `size` is the font size of its body in points."""

    def __init__(self, size: float, pages: Sequence[Page]) -> None:
        self._narrowest = NARROWEST * size
        self._known: list[float] = []
        certain: set[float] = set()
        for page in pages:
            gutter = self._gutter([*page.words, *page.tables])
            if gutter and gutter.rows >= CERTAIN_ROWS:
                certain.add(gutter.x)
        self._known = sorted(certain)

    def regions(self, page: Page) -> Iterator[list[Item]]:
        """What stands on the page, one column or full-width part after the other."""
        return self._parts([*page.words, *page.tables])

    def _parts(self, items: list[Item]) -> Iterator[list[Item]]:
        gutter = self._gutter(items)
        if gutter is None:
            if items:
                yield items
            return
        above: list[Item] = []
        left: list[Item] = []
        right: list[Item] = []
        below: list[Item] = []
        for item in items:
            middle = (item.top + item.bottom) / 2
            if middle < gutter.top:
                above.append(item)
            elif middle > gutter.bottom:
                below.append(item)
            else:
                (left if item.x1 <= gutter.x else right).append(item)
        for part in (above, left, right, below):
            yield from self._parts(part)

    def _gutter(self, items: list[Item]) -> Gutter | None:
        """The gutter with the most rows on both of its sides; None where the text is in one column."""
        rows = lines.rows(i for i in items if isinstance(i, Word))
        starts: dict[int, int] = defaultdict(int)
        for row in rows:
            for x in self._gap_ends(row):
                starts[round(x)] += 1
        best: Gutter | None = None
        for start in sorted(starts, key=lambda s: -starts[s])[:8]:
            x = start - 1.5
            is_known = any(abs(x - known) < SAME_EDGE for known in self._known)
            if starts[start] < FEWEST_ROWS and not is_known:
                continue
            for gutter in self._at(x, items, rows, is_known):
                if best is None or gutter.rows > best.rows:
                    best = gutter
        return best

    def _gap_ends(self, row: Sequence[Word]) -> Iterator[float]:
        """Where text begins again in a row behind a gap that may be a gutter."""
        for before, word in pairwise(row):
            if word.x0 - before.x1 >= self._narrowest:
                yield word.x0

    def _at(self, x: float, items: list[Item], rows: list[list[Word]], is_known: bool) -> Iterator[Gutter]:
        """The gutters at `x`: between what stands across it."""
        over: list[Box] = [i for i in items if i.x0 < x - 1 and i.x1 > x + 1]
        over += [_extent(row) for row in rows if self._reads_on(row, x)]
        across = sorted(over, key=lambda i: i.top)
        top = min(i.top for i in items) - 1
        for block in [*across, None]:
            bottom = block.top if block else max(i.bottom for i in items) + 1
            found = self._between(x, top, bottom, rows, block)
            if found and (found.rows >= FEWEST_ROWS or is_known) and (is_known or self._is_prose(found, items)):
                yield found
            top = max(top, block.bottom) if block else bottom

    def _reads_on(self, row: Sequence[Word], x: float) -> bool:
        """Whether a row has no more than the space between two words at `x`."""
        return any(a.x1 <= x + 1 and b.x0 >= x - 1 and b.x0 - a.x1 < self._narrowest for a, b in pairwise(row))

    def _between(self, x: float, top: float, bottom: float, rows: list[list[Word]], block: Box | None) -> Gutter | None:
        """The gutter between two blocks; it ends before text that belongs to what follows both columns."""
        inside = [row for row in rows if top <= (row[0].top + row[0].bottom) / 2 <= bottom]
        both = [i for i, row in enumerate(inside) if row[0].x1 <= x and row[-1].x0 >= x - 1]
        if not both:
            return None
        end = bottom
        if block is not None:
            for before, row in pairwise(inside[both[-1] :]):
                if row[0].top - before[0].bottom > APART * row[0].height:
                    end = row[0].top - 0.5
                    break
        return Gutter(x, top, end, len(both))

    def _is_prose(self, gutter: Gutter, items: list[Item]) -> bool:
        """Whether the text on both sides fills its width as columns do, unlike the cells of a table."""
        inside = [i for i in items if gutter.top <= (i.top + i.bottom) / 2 <= gutter.bottom]
        width = max(i.x1 for i in items) - min(i.x0 for i in items)
        return all(_fills([i for i in inside if (i.x1 <= gutter.x) == is_left], width) for is_left in (True, False))


def _fills(side: list[Item], page_width: float) -> bool:
    """Whether most rows of one side reach over most of its width, and it is no mere label."""
    tables = [i for i in side if isinstance(i, Table)]
    rows: list[Box] = [_extent(row) for row in lines.rows(i for i in side if isinstance(i, Word))]
    if tables and not rows:
        return True
    width = max(r.x1 for r in rows) - min(r.x0 for r in rows)
    full = sum(r.x1 - r.x0 > 0.6 * width for r in rows)
    return width > 0.18 * page_width and full >= 0.5 * len(rows)


def _extent(row: Sequence[Word]) -> Box:
    return Box(row[0].x0, row[0].top, row[-1].x1, row[0].bottom)
