"""Blocks as Markdown: line ends and hyphens are undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ozfig.gather.readers import markdown as pieces
from ozfig.gather.readers.pdf.blocks import Block

HYPHENS = ("-", "\u2010", "\u00ad")
LETTER_WIDTH = 0.6  # ems, of a font in which all are equally wide
UNKNOWN = re.compile(r"\(cid:\d+\)")  # how pdfminer writes a sign that its font does not name
WORD = re.compile(r"\w+(?:-\w+)*")


class Hyphens:
    """Joins lines. Which hyphens at line ends belong to a word is told by how the document writes it elsewhere."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._words = {
            word.lower() for block in blocks for line in block.lines for word in WORD.findall(line.text) if "-" in word
        }

    def joined(self, lines: Sequence[str]) -> str:
        """Lines as one text."""
        text = lines[0] if lines else ""
        for line in lines[1:]:
            text = self._two(text, line)
        return UNKNOWN.sub("", text.replace("\u00ad", "")).strip()

    def _two(self, text: str, line: str) -> str:
        if not text.endswith(HYPHENS) or not text[-2:-1].isalnum():
            return f"{text} {line}"
        head, tail = re.search(r"\w*$", text[:-1]), re.match(r"\w*", line)
        whole = f"{head[0] if head else ''}-{tail[0] if tail else ''}".lower()
        is_own = text.endswith("-") and (not line[:1].islower() or whole in self._words)
        return text + line if is_own else text[:-1] + line


def text_of(block: Block, hyphens: Hyphens) -> str:
    """A block's own text, without its mark."""
    return hyphens.joined([line.text for line in block.lines])


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown; items that follow one another are one list."""
    hyphens = Hyphens(blocks)
    written = [_written(block, hyphens) for block in blocks]
    text = written[0] if written else ""
    for (before, block), piece in zip(pairwise(blocks), written[1:], strict=True):
        text += ("\n" if before.kind == block.kind == "item" else "\n\n") + piece
    return text


def _written(block: Block, hyphens: Hyphens) -> str:
    if block.kind == "table":
        return pieces.table(block.rows)
    if block.kind == "code":
        return _code(block)
    text = text_of(block, hyphens)
    if block.kind == "heading":
        return f"{'#' * block.level} {text}"
    return pieces.item(text, block.level, block.mark) if block.kind == "item" else text


def _code(block: Block) -> str:
    """Code in a fence, with its indents and empty lines."""
    left, text, before = min(line.x0 for line in block.lines), "```", block.lines[0]
    for line in block.lines:
        empty = max(0, round((line.bottom - before.bottom) / block.code_pitch) - 1)
        text += "\n" * (1 + empty) + " " * round((line.x0 - left) / (LETTER_WIDTH * line.size)) + line.text
        before = line
    return f"{text}\n```"
