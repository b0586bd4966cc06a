"""Held-out questions of a file of one's own, each with the passage that answers it where that can be found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ozfig import console
from ozfig.errors import UserError
from ozfig.formats import shapes
from ozfig.formats.rows import BadRow, Row, cell, read_rows
from ozfig.retrieval import chunk
from ozfig.retrieval.chunk import Passage
from ozfig.types import Document, Example

MAKER = "held_out"


def from_file(path: Path, passages: Sequence[Passage], limit: int | None) -> list[Example]:
    """The questions of a file of any shape that a data set may have.

    A row without a context may name a document (the end of a uri) and evidence (a quotation from it), by which
    the passage is looked up. SQuAD's questions without an answer are passed over. Raises UserError with the
    line's number (in a JSON list, the row's) of a bad row: a question that is left out unseen would change
    what is measured.
    """
    found: list[Example] = []
    lost = rows = 0
    for row in read_rows(path):
        for example in _held_out(row, path, passages):
            rows += 1
            if limit is None or len(found) < limit:
                found.append(example)
                lost += bool(row.values.get("document")) and not example.context
    if lost:
        asked = f"no passage found for {lost} of {len(found)} questions"
        console.warn(f"{path.name}: {asked}; they are asked closed-book only")
    if rows > len(found):
        console.warn(f"{path.name}: the first {len(found)} of {rows} questions are used (prepare.held_out.limit)")
    return found


def _held_out(row: Row, path: Path, passages: Sequence[Passage]) -> Iterator[Example]:
    """The questions of one row. Raises UserError that names its place."""
    place = f"{path}:{row.number}"
    if row.problem:
        raise UserError(f"{place}: {row.problem}")
    try:
        for item in shapes.examples_of(row.values, {}, ""):
            if isinstance(item, Document):
                raise BadRow("plain text, where a question and its answer are expected")
            if item is not None:
                source, context = _look_up(row.values, item, passages)
                yield replace(item, source=source, context=context, maker=MAKER, origin=path.name)
    except BadRow as error:
        raise UserError(f"{place}: {error}; held-out questions need a question and an answer") from None


def _look_up(values: dict[str, Any], item: Example, passages: Sequence[Passage]) -> tuple[str, str]:
    """Where a question comes from, and its context: else the named document's passage with the evidence or answer."""
    name = cell(values.get("document")).rstrip("/")
    if name and not item.context:
        near = [passage for passage in passages if passage.uri.rstrip("/").endswith(name)]
        found = chunk.find_passage(near, cell(values.get("evidence")) or item.answer)
        if found:
            return found.uri, found.with_title()
    return name or item.source, item.context
