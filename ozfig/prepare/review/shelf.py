"""The pairs of a run in pages: an index of where each row lies, so that a large run opens without being held.

The index is a private SQLite file that goes with the process (rows' places, what is filtered by, the texts that
are searched); the rows themselves are read from the stage's files when they are shown.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from ozfig.edits import Edit, Layer, append
from ozfig.errors import UserError
from ozfig.prepare.held_out import MAKER as HELD_OUT
from ozfig.prepare.review.entries import FILES, check
from ozfig.runs import EDITS, Run
from ozfig.types import Dropped, Example

FLAGGED = "review"
TABLE = """
create table rows (place integer primary key, id text unique, file text, at integer, size integer, side text,
  origin text, maker text, reason text, words text, flag integer default -1, flag_size integer, fate text,
  changed integer default 0);
"""
INDEXES = "create index by_fate on rows(fate); create index by_change on rows(changed) where changed;"
INSERT = "insert or ignore into rows(id, file, at, size, side, origin, maker, reason, words, fate) values" + (
    "(?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(frozen=True)
class Wanted:
    """Which pairs to show; an empty field means all. `fate` is train, held_out, dropped, flagged or changed."""

    fate: str = ""
    origin: str = ""
    maker: str = ""
    reason: str = ""
    text: str = ""

    def where(self) -> tuple[str, list[str]]:
        """The condition on the index and its values."""
        parts, values = ["1"], []
        for name in ("origin", "maker", "reason"):
            if value := getattr(self, name):
                parts.append(f"{name} = ?")
                values.append(value)
        if self.text:
            parts.append("instr(words, ?)")
            values.append(self.text.lower())
        if self.fate in SPECIAL:
            parts.append(SPECIAL[self.fate])
        elif self.fate:
            parts.append("fate = ?")
            values.append(self.fate)
        return " and ".join(parts), values


SPECIAL = {"flagged": "flag >= 0", "changed": "changed"}


@dataclass(frozen=True)
class Card:
    """A pair as it is and as it will be. `fate` is where it will be after the changes that wait, `side` where it is.

    `now` holds the changed texts, `note` why it was dropped or flagged; `is_fixed` says that it is changed elsewhere.
    """

    example: Example
    now: Example
    side: str
    fate: str
    note: Dropped | None = None
    is_fixed: bool = False

    @property
    def is_edited(self) -> bool:
        """Whether its words were changed."""
        return self.now.id != self.example.id


class Shelf:
    """The pairs of one run, found by filter and page; changes go into the run's layer of edits."""

    def __init__(self, run: Run) -> None:
        """Read the run's pairs once. Raises UserError when nothing is prepared yet or a row is broken."""
        self.run, self.folder = run, run.stage("prepare")
        self._state = _stamps(self._data)
        self._edits_state: list[tuple[int, int]] = []
        self._layer, self._waiting = Layer(()), list[Edit]()
        self._lock = Lock()
        # an empty name is a temporary file of SQLite's own, which goes with the connection
        self._index = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._index.executescript("pragma journal_mode = off; pragma synchronous = off;" + TABLE)
        self._index.execute("begin")
        for status in FILES:
            self._index.executemany(INSERT, _lines(self.folder / f"{status}.jsonl", status))
        if (self.folder / f"{FLAGGED}.jsonl").exists():
            for at, size, row in _rows(self.folder / f"{FLAGGED}.jsonl"):
                set_flag = "update rows set flag = ?, flag_size = ?, reason = ? where id = ? and side <> 'dropped'"
                self._index.execute(set_flag, (at, size, row["reason"], row["example"]["id"]))
        self._index.execute("commit")
        self._index.executescript(INDEXES)

    @property
    def is_current(self) -> bool:
        """Whether the run's pairs are still those that were read."""
        return _stamps(self._data) == self._state

    @property
    def waiting(self) -> int:
        """How many edits wait for the prepare stage."""
        return len(self._waiting)

    def find(self, filters: dict[str, str], start: int, count: int) -> tuple[list[Card], int]:
        """`count` pairs from the `start`-th that fits the filters (the fields of `Wanted`), and how many fit."""
        where, values = Wanted(**filters).where()
        with self._lock:
            self._follow()
            total = self._index.execute(f"select count(*) from rows where {where}", values).fetchone()[0]
            ids = self._index.execute(
                f"select id from rows where {where} order by place limit ? offset ?", [*values, count, start]
            ).fetchall()
            return [self._card(id) for (id,) in ids], total

    def counts(self) -> dict[str, dict[str, int]]:
        """How many pairs there are by fate, origin, maker and reason, the commonest first."""
        with self._lock:
            self._follow()
            found = {name: self._count(name) for name in ("fate", "origin", "maker", "reason")}
            for name, condition in SPECIAL.items():
                found["fate"][name] = self._index.execute(f"select count(*) from rows where {condition}").fetchone()[0]
        return found

    def change(self, edit: Edit) -> Card:
        """Put one change of a person into the layer. Raises UserError when there is no such pair or it is fixed."""
        with self._lock:
            maker = self._maker(edit.id)
            check(edit, {edit.id: maker} if maker else {})
            with self.run.lock():
                append(self.run.folder / EDITS, [edit])
            self._follow()
            return self._card(edit.id)

    @property
    def _data(self) -> list[Path]:
        return [self.folder / f"{name}.jsonl" for name in (*FILES, FLAGGED)] + [self.folder / "manifest.json"]

    def _count(self, column: str) -> dict[str, int]:
        query = f"select {column}, count(*) from rows where {column} <> '' group by 1 order by 2 desc, 1"
        return dict(self._index.execute(query).fetchall())

    def _card(self, id: str) -> Card:
        query = "select file, at, size, side, flag, flag_size, fate, maker from rows where id = ?"
        file, at, size, side, flag, flag_size, fate, maker = self._index.execute(query, [id]).fetchone()
        row = _read(self.folder / f"{file}.jsonl", at, size)
        note = Dropped.from_row(row) if file == "dropped" else None
        example = note.example if note else Example.from_row(row)
        if flag >= 0:
            note = Dropped.from_row(_read(self.folder / f"{FLAGGED}.jsonl", flag, flag_size))
        return Card(example, self._layer.apply(example).example, side, fate, note, maker == HELD_OUT)

    def _follow(self) -> None:
        """Lay the waiting edits over the index, when their file has changed (the command line writes it too)."""
        state = _stamps([self.run.folder / EDITS])
        if state == self._edits_state:
            return
        before, waiting = self._waiting, waiting_edits(self.run)
        self._layer, self._waiting, self._edits_state = Layer(waiting), waiting, state
        new = {edit.id for edit in waiting[len(before) :]}
        grown = waiting[: len(before)] == before and all(map(self._maker, new))
        self._index.execute("begin")
        if not grown:  # an edit of an edited pair goes by its new id, which the index does not know
            self._index.execute("update rows set fate = side, changed = 0 where changed")
        for id in new if grown else {edit.id for edit in waiting}:
            self._lay(id)
        self._index.execute("commit")

    def _maker(self, id: str) -> str:
        """What made a pair; empty when the run has no such pair."""
        found = self._index.execute("select maker from rows where id = ?", [id]).fetchone()
        return found[0] if found else ""

    def _lay(self, id: str) -> None:
        """Note what will become of a pair."""
        if not self._maker(id):
            return
        card = self._card(id)
        laid = self._layer.apply(card.example)
        back = laid.keep and card.side == "dropped"
        fate = "dropped" if laid.drop else "train" if back else card.side
        changed = fate != card.side or card.is_edited
        words = _words([card.now.question, card.now.answer, id, card.note.reason if card.note else ""])
        query = "update rows set fate = ?, changed = ?, words = ? where id = ?"
        self._index.execute(query, (fate, int(changed), words, id))


def waiting_edits(run: Run) -> list[Edit]:
    """The edits that the prepare stage has not seen: those after the ones whose hash is in its manifest."""
    path = run.folder / EDITS
    if not path.exists():
        return []
    manifest = run.manifest("prepare")
    seen = manifest.inputs.get("edits", "") if manifest else ""
    lines, done, digest = path.read_bytes().splitlines(keepends=True), 0, hashlib.sha256()
    for n, line in enumerate(lines if seen else (), 1):
        digest.update(line)
        done = n if digest.hexdigest() == seen else done
    return [Edit.from_row(json.loads(line)) for line in lines[done:] if line.strip()]


def open_shelf(run: Run) -> Shelf:
    """The shelf of a run. Raises UserError when nothing is prepared yet."""
    return Shelf(run)


def _stamps(paths: list[Path]) -> list[tuple[int, int]]:
    """What tells one state of some files from another."""
    found = [path.stat() if path.exists() else None for path in paths]
    return [(stat.st_mtime_ns, stat.st_size) if stat else (0, 0) for stat in found]


def _rows(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The rows of a JSONL file with the place and length of each."""
    if not path.exists():
        run = path.parent.parent
        raise UserError(f"{run}: nothing prepared yet; run: ozfig prepare {run}/recipe.yaml")
    with path.open("rb") as lines:
        at = 0
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield at, len(line), json.loads(line)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: not valid JSON: {error}") from None
            at += len(line)


def _lines(path: Path, side: str) -> Iterator[tuple[Any, ...]]:
    """What the index keeps of each row of a file."""
    for at, size, row in _rows(path):
        example, reason = (row["example"], row["reason"]) if side == "dropped" else (row, "")
        question = next((m["content"] for m in reversed(example["messages"]) if m["role"] == "user"), "")
        words = _words([question, example["messages"][-1]["content"], example["id"], reason])
        origin = example.get("origin") or example.get("source") or "unnamed"
        yield example["id"], side, at, size, side, origin, example.get("maker") or "dataset", reason, words, side


def _words(texts: list[str]) -> str:
    """What a search looks through."""
    return "\n".join(texts).lower()


def _read(path: Path, at: int, size: int) -> Any:
    with path.open("rb") as data:
        data.seek(at)
        return json.loads(data.read(size))
