"""The verb `review`: changes a person asks for are made first, then what they want to see is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ozfig import console
from ozfig.edits import Edit, Layer
from ozfig.errors import UserError
from ozfig.prepare.review import entries, spreadsheet
from ozfig.prepare.review.entries import Change, Entry
from ozfig.prepare.review.spreadsheet import Missing
from ozfig.runs import EDITS, Run
from ozfig.types import Example


class Changes(Protocol):
    """What the command line asks to change: ids to drop and restore, one pair to edit, a table to write or read."""

    drop: list[str] | None
    restore: list[str] | None
    edit: str
    question: str
    answer: str
    export_to: Path | None
    import_from: Path | None
    missing: Missing


@dataclass
class Desk:
    """A run's data being looked at: what was just changed, how many pairs were just written out, what to show.

    `originals` holds what the shown pairs were that people edited.
    """

    run: Run
    changes: list[Change] = field(default_factory=list)
    exported: int = 0
    shown: list[Entry] = field(default_factory=list)
    originals: dict[str, Example] = field(default_factory=dict)
    samples: int = 0

    @property
    def folder(self) -> Path:
        """The prepare stage's folder."""
        return self.run.stage("prepare")

    @property
    def edits(self) -> Path:
        """The file of the run's edits."""
        return self.run.folder / EDITS

    def change(self, changes: Changes) -> None:
        """Make the changes. Raises UserError for an unknown id or a table that does not fit; then nothing changed."""
        if changes.export_to and not changes.export_to.absolute().parent.is_dir():
            raise UserError(f"{changes.export_to.parent}: no such folder; make it first")
        wanted = [Edit("drop", id) for id in changes.drop or []]
        wanted += [Edit("restore", id) for id in changes.restore or []]
        if (changes.question or changes.answer) and not changes.edit:
            raise UserError("--question and --answer need --edit with the id of the pair; find it with --find TEXT")
        if changes.edit:
            if not (changes.question or changes.answer):
                raise UserError("--edit needs --question or --answer, or both")
            wanted.append(Edit("edit", changes.edit, changes.question, changes.answer))
        if changes.import_from:
            wanted += spreadsheet.from_csv(self.folder, changes.import_from, self.edits, changes.missing)
            if not wanted:
                console.warn(f"{changes.import_from}: says nothing that is not so already")
        if wanted:
            with self.run.lock():
                self.changes = entries.change(self.folder, self.edits, wanted)
        if changes.export_to:
            self.exported = spreadsheet.to_csv(self.folder, changes.export_to)

    def look(self, find: str, dropped: bool, flagged: bool, samples: int) -> None:
        """Choose what to show: what a text, or a fate, selects; else a few of the pairs to learn from."""
        found = entries.flagged(self.folder) if flagged else entries.entries(self.folder)
        if dropped:
            found = (entry for entry in found if entry.status == "dropped")
        if find:
            found = entries.matching(found, find)
        elif not (dropped or flagged):
            found = (entry for entry in found if entry.status == "train")
        self.shown = list(islice(found, samples)) if find else entries.drawn(found, samples)
        self.samples = samples
        for edited in entries.replaced(self.folder, Layer.read(self.edits)):
            first, *later = edited.versions.values()
            self.originals |= {example.id: first for example in later}

    def show(self) -> None:
        """Print it for people: what was changed, else what there is."""
        if self.changes:
            entries.show_changes(self.changes, self.samples)
            console.say(f"  next    [bold]ozfig run {self.run.folder}/recipe.yaml[/bold]  takes them over")
        else:
            entries.show_counts(self.folder)
            entries.show(self.shown, self.originals)
            console.say(f"\n  more    {self.folder / 'data.html'}")
        if self.exported:
            console.say(f"  wrote   {self.exported:,} pairs")

    def to_json(self) -> dict[str, Any]:
        """The contract for scripts."""
        return {
            "run": str(self.run.folder),
            "counts": entries.counts(entries.entries(self.folder)),
            "words": entries.lengths(entries.entries(self.folder)),
            "entries": [
                {"id": e.example.id, "status": e.status, "question": e.example.question, "answer": e.example.answer,
                 "reason": e.reason, "neighbour": e.neighbour, "score": e.score,
                 "original": _texts(self.originals.get(e.example.id))}
                for e in self.shown
            ],
            "edits": len(self.changes),
            "changes": [
                {"action": c.edit.action, "before": _texts(c.before), "after": _texts(c.after)} for c in self.changes
            ],
            "exported": self.exported,
        }  # fmt: skip


def _texts(example: Example | None) -> dict[str, str] | None:
    return None if example is None else {"id": example.id, "question": example.question, "answer": example.answer}


def open_desk(run: Run, changes: Changes) -> Desk:
    """A run's data with the changes made. Raises UserError when nothing is prepared yet."""
    desk = Desk(run)
    desk.change(changes)
    return desk
