"""What lines are: headings, paragraphs, list items, code; joined across columns and pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from ozfig.gather.readers.pdf import marks
from ozfig.gather.readers.pdf.lines import Line, Region, Style
from ozfig.gather.readers.pdf.page import Table

Kind = Literal["heading", "paragraph", "item", "code", "table"]
LONGEST_HEADING, MOST_HEADING_LINES = 200, 4
SAME_SIZE = 0.06
WIDE_PITCH = 1.3  # usual pitches between two paragraphs
HEADING_PITCH, CODE_PITCH = 1.6, 1.2  # ems between two lines of one
HALF_LINE, ON_THE_LINE = 0.4, 0.08  # of a line of code
INDENT = 0.7  # ems
FULL = 0.1  # share of the column's width that the last word of a full line may lack
SMALL = 0.9  # of the body's size: notes at the foot of a column


@dataclass
class Block:
    """A heading (level from 1), paragraph, list item (level from 0, with its mark), code or table.

    `region` is where its last line stands, `indent` how far its first line is from the region's left edge.
    """

    kind: Kind
    region: Region
    lines: list[Line] = field(default_factory=list)
    mark: str = ""
    indent: float = 0.0
    level: int = 0
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def code_pitch(self) -> float:
        """The points from a line of code to the next."""
        between = [b.bottom - a.bottom for a, b in pairwise(self.lines) if b.bottom > a.bottom]
        return min(between, default=CODE_PITCH * self.lines[0].size)


def found(regions: Iterable[Region], style: Style) -> list[Block]:
    """The blocks of a document in reading order, each whole; `style` is that of its body."""
    merged: list[Block] = []
    for region in regions:
        for block in _of_region(region, style, merged):
            _sober(block, style)
            before = _to_continue(merged, block)
            if before is None:
                merged.append(block)
            else:
                _join(before, block)
    _heading_levels(merged, style)
    _item_levels(merged)
    return merged


def _of_region(region: Region, style: Style, earlier: Sequence[Block]) -> list[Block]:
    """The blocks of one region; `earlier` are those before it, whose numbering may go on."""
    blocks: list[Block] = []
    before: Line | None = None
    for part in region.parts:
        if isinstance(part, Table):
            blocks.append(Block("table", region, rows=list(part.rows)))
            before = None
            continue
        last = blocks[-1] if blocks and before else None
        goes_on = last is not None and before is not None and _goes_on(last, before, part, style)
        mark = None if style.is_large(part) else marks.found(part.text, goes_on, _marks_before([*earlier, *blocks]))
        if mark and not (style.is_heading(part) and mark.is_number):
            line = replace(part, text=part.text[mark.end :])
            blocks.append(Block("item", region, [line], mark.text, part.x0 - region.left))
        elif goes_on and last is not None:
            last.lines.append(part)
        else:
            kind: Kind = "heading" if style.is_heading(part) else "code" if part.is_mono else "paragraph"
            blocks.append(Block(kind, region, [part], indent=part.x0 - region.left))
        before = part
    return blocks


def _marks_before(blocks: Sequence[Block]) -> list[str]:
    """The marks of the list items just before, an interrupting paragraph or two aside."""
    return [block.mark for block in blocks[-4:] if block.mark]


def _goes_on(last: Block, before: Line, line: Line, style: Style) -> bool:
    """Whether a line belongs to the block of the line before it."""
    pitch = line.bottom - before.bottom
    if abs(line.size - before.size) > SAME_SIZE * before.size:
        return False
    if line.is_mono != before.is_mono and not _is_code_in_text(last, before, line):
        return False
    if last.kind == "code":
        return _is_whole(pitch / last.code_pitch)
    if last.kind == "heading" and line.is_bold == before.is_bold:
        return pitch < HEADING_PITCH * line.size
    if last.kind == "heading" and (style.is_large(line) or not line.text[:1].islower()):
        return False  # else its first line happens to be bold from end to end
    if last.kind != "heading" and style.is_heading(line):
        return False
    if pitch > WIDE_PITCH * style.pitch * line.size:
        return False
    begins = line.text[:1].isupper() or line.text[:1].isdigit()
    if (begins or marks.ENDED.search(before.text)) and _was_broken(before, line, last.region):
        return False
    return _is_in_line(last, before, line)


def _is_code_in_text(last: Block, before: Line, line: Line) -> bool:
    """Whether one of two lines is in a typewriter font only because a sentence puts code there."""
    is_inside = abs(line.x0 - before.x0) < 1 and not marks.ENDED.search(before.text)
    return last.kind in ("paragraph", "item") and (before.is_mono or is_inside)


def _is_whole(pitches: float) -> bool:
    """Whether code goes on: on the next line, or behind up to three empty ones."""
    return pitches < 1 + HALF_LINE or (pitches < 4 + HALF_LINE and abs(pitches - round(pitches)) < ON_THE_LINE)


def _was_broken(before: Line, line: Line, region: Region) -> bool:
    """Whether the line before ends early: the next word would have fitted."""
    if before.text.endswith("-"):
        return False
    first_word = line.text.split()[0]
    letter = (line.x1 - line.x0) / len(line.text)
    return region.right - before.x1 > (len(first_word) + 1) * letter * 1.1 + INDENT * line.size


def _is_in_line(last: Block, before: Line, line: Line) -> bool:
    """Whether a line begins where the block's text goes on, not at an indent that begins something new."""
    first, step = last.lines[0], line.x0 - before.x0
    if last.kind == "item":
        return line.x0 > first.x0 - 1
    if len(last.lines) > 1 and step < -INDENT * line.size:
        return False  # the end of a quotation that is set in
    return step < INDENT * line.size or before.x0 - last.region.left > INDENT * line.size


def _sober(block: Block, style: Style) -> None:
    """A heading that turns out to be a sentence in bold, or has no letters, is a paragraph."""
    if block.kind != "heading":
        return
    text = " ".join(line.text for line in block.lines)
    is_long = len(text) > LONGEST_HEADING or len(block.lines) > MOST_HEADING_LINES
    is_sentence = not style.is_large(block.lines[0]) and text.endswith((".", ":", ",", ";"))
    is_mixed = not all(style.is_heading(line) for line in block.lines)
    if is_long or is_sentence or is_mixed or not any(c.isalpha() for c in text):
        block.kind = "paragraph"


def _to_continue(merged: Sequence[Block], block: Block) -> Block | None:
    """The block before that goes on with this one, in the next column or on the next page; None mostly."""
    if not merged:
        return None
    last = merged[-1]
    if block.kind == last.kind == "table":
        is_same = len(last.rows[0]) == len(block.rows[0]) and last.region.page + 1 == block.region.page
        return last if is_same else None
    if block.kind == last.kind == "code":
        return last if block.region is not last.region else None
    if block.kind != "paragraph":
        return None
    # notes at the foot of the column stand between
    size = block.lines[0].size
    above = next((b for b in reversed(merged[-4:]) if not (b.lines and b.lines[0].size < SMALL * size)), None)
    if above is None or above.kind not in ("paragraph", "item"):
        return None
    end = above.lines[-1]
    if marks.ENDED.search(end.text) or abs(end.size - size) > SAME_SIZE * size:
        return None
    goes_on = block.lines[0].text[:1].islower() or (end.text.endswith("-") and block.lines[0].text[:1].isalpha())
    if above.region is block.region:
        return above if goes_on and above is last else None
    width = above.region.right - above.region.left
    return above if goes_on or end.x1 > above.region.right - FULL * width else None


def _join(before: Block, block: Block) -> None:
    """Put a block's lines or rows behind those of the block that goes on with it."""
    again = before.rows[:1] == block.rows[:1]  # a table's head is repeated on each page
    before.rows += block.rows[1:] if again else block.rows
    before.lines += block.lines
    before.region = block.region


def _heading_levels(blocks: Sequence[Block], style: Style) -> None:
    """Larger letters are higher levels; bold ones of the body's size are the lowest."""
    headings = [block for block in blocks if block.kind == "heading"]
    sizes: list[float] = []
    for size in sorted({b.lines[0].size for b in headings if style.is_large(b.lines[0])}, reverse=True):
        if not sizes or size < sizes[-1] * (1 - SAME_SIZE):
            sizes.append(size)
    for block in headings:
        size = block.lines[0].size
        above = sum(size < larger * (1 - SAME_SIZE) for larger in sizes)
        block.level = min(6, above + 1)


def _item_levels(blocks: Iterable[Block]) -> None:
    """An item is one level below the one before it that is less indented."""
    indents: list[float] = []
    for block in blocks:
        if block.kind != "item":
            indents = []
            continue
        while indents and block.indent < indents[-1] - INDENT * block.lines[0].size:
            indents.pop()
        if not indents or block.indent > indents[-1] + INDENT * block.lines[0].size:
            indents.append(block.indent)
        block.level = len(indents) - 1
