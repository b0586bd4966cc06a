"""The pairs of a run as a CSV table that people edit by hand, and the edits that a changed table means."""

from __future__ import annotations

import csv
import io
from collections.abc import Container
from pathlib import Path
from typing import Literal

from ozfig import files
from ozfig.edits import Edit
from ozfig.errors import UserError
from ozfig.formats.rows import read_rows
from ozfig.prepare.held_out import MAKER as HELD_OUT
from ozfig.prepare.review.entries import Entry, entries
from ozfig.types import Example

ID = "id:"  # before an id, which a spreadsheet would take for a number where it is digits and an e
COLUMNS = ("id", "status", "question", "answer", "context", "source", "origin", "maker", "reason", "neighbour")
Missing = Literal["auto", "drop", "keep"]
# in front of a cell these make a spreadsheet compute it, so that a page's text could act as a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_MISSING = 0.5  # a table that lacks more than this share was cut, not cleaned


def to_csv(folder: Path, path: Path) -> int:
    """Write every example as a line of a CSV table; returns how many. The mark in front tells spreadsheets UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    n = 0
    for entry in entries(folder):
        # questions of a file of one's own are changed in that file
        if entry.example.maker != HELD_OUT:
            writer.writerow(_line(entry))
            n += 1
    files.write_text(path, "\ufeff" + text.getvalue())
    return n


def from_csv(folder: Path, path: Path, missing: Missing = "auto") -> list[Edit]:
    """The edits that turn the run's examples into those of a table that `to_csv` wrote and a person changed.

    A changed question, answer or context (not an emptied one) is an edit, a line without an id a new pair,
    `status` train on a dropped line restores it, and dropped on another line drops it. Lines that are gone are
    dropped, unless they are most of the table (`auto`) or `missing` says to keep them. Raises UserError that
    names the line.
    """
    known = {entry.example.id: entry for entry in entries(folder) if entry.example.maker != HELD_OUT}
    found: list[Edit] = []
    seen: set[str] = set()
    for row in read_rows(path):
        if row.problem:
            raise UserError(f"{path}:{row.number}: {row.problem}")
        values = {key: _read_cell(row.values.get(key)) for key in COLUMNS}
        values["id"] = values["id"].removeprefix(ID)
        if not values["question"].strip() or not values["answer"].strip():
            raise UserError(f"{path}:{row.number}: a pair needs a question and an answer; delete the line to drop it")
        entry = known.get(values["id"])
        if values["id"] and entry is None:
            raise UserError(f"{path}:{row.number}: no example of this run has the id {values['id']}; leave it empty")
        seen.add(values["id"])
        found += _compared(entry, values) if entry else _added(values, known)
    gone = [known[key] for key in known if key not in seen and known[key].status != "dropped"]
    if missing == "auto" and len(gone) > MOST_MISSING * len(known):
        raise UserError(
            f"{path}: {len(gone)} of {len(known)} pairs are missing; drop them all with --missing drop, "
            "or leave them as they are with --missing keep"
        )
    return found + ([Edit("drop", e.example.id) for e in gone] if missing != "keep" else [])


def _compared(entry: Entry, values: dict[str, str]) -> list[Edit]:
    """What a line says of its example that is not so yet."""
    example, found = entry.example, []
    written = {part: _same_lines(values[part]) for part in ("question", "answer", "context")}
    changed = {part: text for part, text in written.items() if text not in ("", _same_lines(getattr(example, part)))}
    if changed:
        found.append(Edit("edit", example.id, **changed))
    if entry.status == "dropped" and values["status"] in ("train", "keep", "restore"):
        found.append(Edit("restore", example.id))
    if entry.status != "dropped" and values["status"] == "dropped":
        found.append(Edit("drop", example.id))
    return found


def _added(values: dict[str, str], known: Container[str]) -> list[Edit]:
    """The pair of a line without an id; none where the run has it already."""
    new = Edit("add", "", values["question"].strip(), values["answer"].strip(), values["context"].strip())
    return [] if Example.pair(new.question, new.answer, context=new.context).id in known else [new]


def _cell(text: str) -> str:
    """A text as a cell that a spreadsheet takes for text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _read_cell(value: object) -> str:
    """The text of a cell."""
    text = str(value or "")
    return text[1:] if text.startswith(tuple(f"'{sign}" for sign in FORMULA)) else text


def _same_lines(text: str) -> str:
    """A text as spreadsheets give it back: with their own line ends, without space around it."""
    return text.replace("\r\n", "\n").strip()


def _line(entry: Entry) -> dict[str, str]:
    """An entry as a line of the table."""
    e = entry.example
    texts = (entry.status, e.question, e.answer, e.context, e.source, e.origin, e.maker, entry.reason, entry.neighbour)
    return dict(zip(COLUMNS, (f"{ID}{e.id}", *map(_cell, texts)), strict=True))
