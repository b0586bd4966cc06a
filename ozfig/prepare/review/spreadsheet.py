"""The pairs of a run as a CSV table that people edit by hand, and the edits that a changed table means."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

from ozfig import files
from ozfig.edits import REPLACED, Edit, Layer
from ozfig.errors import UserError
from ozfig.formats.rows import read_rows
from ozfig.prepare.held_out import MAKER as HELD_OUT
from ozfig.prepare.review.entries import Entry, Pair, by_id, entries
from ozfig.types import Example

ID = "id:"  # before an id, which a spreadsheet would take for a number where it is digits and an e
COLUMNS = ("id", "status", "question", "answer", "context", "source", "origin", "maker", "reason", "neighbour")
PARTS = ("question", "answer", "context")
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
        # questions of a file of one's own are changed in that file; an edited pair is one line, as it is now
        if entry.example.maker != HELD_OUT and entry.reason != REPLACED:
            writer.writerow(_line(entry))
            n += 1
    files.write_text(path, "\ufeff" + text.getvalue())
    return n


def from_csv(folder: Path, path: Path, layer: Path, missing: Missing = "auto") -> list[Edit]:
    """The edits that turn the run's examples into those of a table that `to_csv` wrote and a person changed.

    A changed question, answer or context (not an emptied one) is an edit, a line without an id a new pair,
    `status` train on a dropped line restores it, and dropped on another line drops it. Lines that are gone are
    dropped, unless they are most of the pairs (`auto`) or `missing` says to keep them. Edits that the file `layer`
    holds already are not given again, so that a table can be read twice. Raises UserError that names the line.
    """
    known = {id: p for id, p in by_id(folder, Layer.read(layer)).items() if p.entry.example.maker != HELD_OUT}
    found: list[Edit] = []
    seen: set[str] = set()
    for row in read_rows(path):
        place = f"{path}:{row.number}"
        if row.problem:
            raise UserError(f"{place}: {row.problem}")
        values = {key: _read_cell(row.values.get(key)) for key in COLUMNS}
        values["id"] = values["id"].removeprefix(ID)
        if not values["question"].strip() or not values["answer"].strip():
            raise UserError(f"{place}: a pair needs a question and an answer; delete the line to drop it")
        new = Edit("add", "", *(values[part].strip() for part in PARTS))
        id = values["id"] or Example.pair(new.question, new.answer, context=new.context).id
        pair = known.get(id)
        if values["id"] and pair is None:
            raise UserError(f"{place}: this run never had a pair with the id {id}; empty the cell to add a new one")
        if pair:
            seen.add(pair.entry.example.id)
            found += _compared(pair, id, values)
        else:
            found.append(new)
    return found + ([] if missing == "keep" else _gone(known, seen, path, missing))


def _gone(known: dict[str, Pair], seen: set[str], path: Path, missing: Missing) -> list[Edit]:
    """Drop the pairs that no line is about. Raises UserError where that takes most of those that are in."""
    live = {p.entry.example.id for p in known.values() if not p.is_out}
    gone = sorted(live - seen)
    if missing == "auto" and len(gone) > MOST_MISSING * len(live):
        raise UserError(
            f"{path}: {len(gone)} of {len(live)} pairs are missing; drop them all with --missing drop, "
            "or leave them as they are with --missing keep"
        )
    return [Edit("drop", id) for id in gone]


def _compared(pair: Pair, id: str, values: dict[str, str]) -> list[Edit]:
    """What a line says of its pair that is not so yet. The pair had the line's id when the table was written."""
    found, was_out = [], pair.entry.status == "dropped"
    if was_out and pair.is_out and values["status"] in ("train", "keep", "restore"):
        found.append(Edit("restore", pair.entry.example.id))
    if not (was_out or pair.is_out) and values["status"] == "dropped":
        found.append(Edit("drop", pair.entry.example.id))
    had = (pair.edited.versions[id], pair.edited.example, pair.entry.example)
    written = {part: _same_lines(values[part]) for part in PARTS}
    old = {part: {"", *(_same_lines(getattr(example, part)) for example in had)} for part in PARTS}
    if changed := {part: text for part, text in written.items() if text not in old[part]}:
        found.append(Edit("edit", pair.entry.example.id, **changed))
    return found


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
