"""What people changed of a run's data: a layer over it, kept in the run as `edits.jsonl`.

An edit gives its example a new id, so that edits form a chain: each names the example by any id that it has had,
and changes it as it then is; the last word counts. The file only grows. With it the run can be made again as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ozfig import files
from ozfig.errors import UserError
from ozfig.types import Example, Message, Row

Action = Literal["edit", "drop", "restore", "add"]
ACTIONS = ("edit", "drop", "restore", "add")
BY_HAND, REPLACED = "dropped by hand", "edited by hand"  # the second: the example as it was before
MAKER = "hand"


@dataclass(frozen=True)
class Edit(Row):
    """One change. `question`, `answer` and `context` are those of an edited or added pair; empty: as before."""

    action: Action
    id: str = ""
    question: str = ""
    answer: str = ""
    context: str = ""


@dataclass(frozen=True)
class Edited:
    """An example after the edits: `keep` protects it from every filter, `drop` takes it out.

    `versions` holds what it was under each id that it has had, the first one first.
    """

    example: Example
    versions: dict[str, Example]
    keep: bool = False
    drop: bool = False


class Layer:
    """The edits of a run, ready to be laid over its examples."""

    def __init__(self, edits: Iterable[Edit]) -> None:
        self._by_id: dict[str, list[tuple[int, Edit]]] = defaultdict(list)  # with their places in the file
        self.added: list[Example] = []
        self._used: set[str] = set()
        for place, edit in enumerate(edits):
            if edit.action == "add":
                fields = {"context": edit.context, "source": MAKER, "origin": MAKER, "maker": MAKER}
                new = Example.pair(edit.question, edit.answer, **fields)
                if new not in self.added:  # a table that was read twice adds its pairs once
                    self.added.append(new)
            else:
                self._by_id[edit.id].append((place, edit))

    @classmethod
    def read(cls, path: Path | None) -> Layer:
        """The layer of a run's edits file; without one it changes nothing. Raises UserError for a broken row."""
        rows = files.read_jsonl(path) if path and path.exists() else iter(())
        try:
            edits = [Edit.from_row(row) for row in rows]
        except TypeError as error:
            raise UserError(f"{path}: not an edit: {error}") from None
        if wrong := next((e for e in edits if e.action not in ACTIONS), None):
            raise UserError(f"{path}: {wrong.action!r} is no action; known are {', '.join(ACTIONS)}")
        return cls(edits)

    def apply(self, example: Example) -> Edited:
        """An example as people want it: edited as it then is, put back as it was under the id of a `restore`."""
        versions, last, fate = {example.id: example}, -1, ""
        while step := self._next(versions, last):
            last, edit = step
            self._used.add(edit.id)
            if edit.action == "edit":
                new = changed(example, edit)
                example = versions.setdefault(new.id, new)
            else:
                fate = edit.action
            if edit.action == "restore":
                example = versions[edit.id]
        return Edited(example, versions, keep=fate == "restore", drop=fate == "drop")

    def _next(self, ids: Iterable[str], last: int) -> tuple[int, Edit] | None:
        """The first edit after a place that names one of the ids."""
        waiting = (step for id in ids for step in self._by_id.get(id, ()) if step[0] > last)
        return min(waiting, key=lambda step: step[0], default=None)

    @property
    def unused(self) -> list[str]:
        """Ids that no example had: their pages or pairs are gone."""
        return sorted(set(self._by_id) - self._used)


def changed(example: Example, edit: Edit) -> Example:
    """The example with an edit's last question, answer and context; what was found for the old answer goes."""
    turns = list(example.messages)
    asked = max(i for i, m in enumerate(turns) if m.role == "user")
    turns[asked] = Message("user", edit.question or turns[asked].content)
    turns[-1] = Message("assistant", edit.answer or turns[-1].content)
    context = edit.context or example.context
    made = Example.make(turns, context=context)
    same = turns[-1] == example.messages[-1] and context == example.context
    answers, evidence = (example.answers, example.evidence) if same else ([], [])
    return replace(example, id=made.id, messages=turns, context=context, answers=answers, evidence=evidence)


def append(path: Path, edits: Iterable[Edit]) -> int:
    """Add edits to a run's file, all or none; returns how many there were."""
    new = [edit.to_row() for edit in edits]
    if new:
        old = list(files.read_jsonl(path)) if path.exists() else []
        files.write_jsonl(path, [*old, *new])
    return len(new)
