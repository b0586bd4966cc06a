"""The pairs of a run as a CSV table that people edit by hand, and the edits that a changed table means."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

from ozfig import files
from ozfig.edits import Edit
from ozfig.errors import UserError
from ozfig.formats.rows import read_rows
from ozfig.prepare.review.entries import Entry, entries

COLUMNS = ("id", "status", "question", "answer", "context", "source", "origin", "maker", "reason", "neighbour")
Missing = Literal["auto", "drop", "keep"]
MOST_MISSING = 0.5  # a table that lacks more than this share was cut, not cleaned


def to_csv(folder: Path, path: Path) -> int:
    """Write every example as a line of a CSV table; returns how many. The mark in front tells spreadsheets UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    n = 0
    for entry in entries(folder):
        # questions of a file of one's own are changed in that file
        if entry.example.maker != "held_out":
            writer.writerow(_line(entry))
            n += 1
    files.write_text(path, "\ufeff" + text.getvalue())
    return n


def from_csv(folder: Path, path: Path, missing: Missing = "auto") -> list[Edit]:
    """The edits that turn the run's examples into those of a table that `to_csv` wrote and a person changed.

    A changed question or answer is an edit, a line without an id a new pair, `status` train on a dropped line
    restores it, and dropped on another line drops it. Lines that are gone are dropped, unless they are most of
    the table (`auto`) or `missing` says to keep them. Raises UserError that names the line.
    """
    known = {entry.example.id: entry for entry in entries(folder) if entry.example.maker != "held_out"}
    found: list[Edit] = []
    seen: set[str] = set()
    for row in read_rows(path):
        values = {key: str(row.values.get(key) or "") for key in COLUMNS}
        if not values["question"].strip() or not values["answer"].strip():
            raise UserError(f"{path}:{row.number}: a pair needs a question and an answer; delete the line to drop it")
        entry = known.get(values["id"])
        if values["id"] and entry is None:
            raise UserError(f"{path}:{row.number}: no example of this run has the id {values['id']}; leave it empty")
        seen.add(values["id"])
        found += _compared(entry, values) if entry else [_added(values)]
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
    question, answer = values["question"], values["answer"]
    if (_same_lines(question), _same_lines(answer)) != (_same_lines(example.question), _same_lines(example.answer)):
        found.append(Edit("edit", example.id, question, answer))
    if entry.status == "dropped" and values["status"] in ("train", "keep", "restore"):
        found.append(Edit("restore", example.id))
    if entry.status != "dropped" and values["status"] == "dropped":
        found.append(Edit("drop", example.id))
    return found


def _added(values: dict[str, str]) -> Edit:
    return Edit("add", "", values["question"].strip(), values["answer"].strip(), values["context"].strip())


def _same_lines(text: str) -> str:
    """A text as spreadsheets give it back: with their own line ends, without space around it."""
    return text.replace("\r\n", "\n").strip()


def _line(entry: Entry) -> dict[str, str]:
    """An entry as a line of the table."""
    e = entry.example
    values = (e.id, entry.status, e.question, e.answer, e.context, e.source, e.origin, e.maker)
    return dict(zip(COLUMNS, (*values, entry.reason, entry.neighbour), strict=True))
