"""The pairs of a run to look at, and to change as a layer of edits over the data."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ozfig import console, edits, files
from ozfig.edits import REPLACED, Action, Edit, Edited, Layer
from ozfig.errors import UserError
from ozfig.prepare.held_out import MAKER as HELD_OUT
from ozfig.types import Dropped, Example

FILES = ("train", "held_out", "dropped")


@dataclass(frozen=True)
class Entry:
    """An example of a run: on which side it is (train, held_out, dropped), and why it was dropped or flagged."""

    example: Example
    status: str
    reason: str = ""
    neighbour: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Pair:
    """A pair of the run: as it was prepared last, and what all edits so far make of what it was at first."""

    entry: Entry
    edited: Edited

    @property
    def is_out(self) -> bool:
        """Whether a filter or a person has taken it out, and nobody put it back."""
        return self.edited.drop or (self.entry.status == "dropped" and not self.edited.keep)


@dataclass(frozen=True)
class Change:
    """What one edit did to a pair; `before` is None where it is new."""

    edit: Edit
    before: Example | None
    after: Example


def entries(folder: Path) -> Iterator[Entry]:
    """Every example of a prepared run, each once; `folder` is the stage's. Raises UserError when it has not run."""
    seen: set[str] = set()
    for status in FILES:
        path = folder / f"{status}.jsonl"
        if not path.exists():
            raise UserError(f"{folder.parent}: nothing prepared yet; run: ozfig prepare {folder.parent}/recipe.yaml")
        for row in files.read_jsonl(path):
            found = Entry(Example.from_row(row), status) if status != "dropped" else _noted(row, status)
            if found.example.id not in seen:
                seen.add(found.example.id)
                yield found


def flagged(folder: Path) -> Iterator[Entry]:
    """The examples that were kept and should be looked at."""
    for row in files.read_jsonl(folder / "review.jsonl"):
        yield _noted(row, "review")


def _noted(row: dict[str, object], status: str) -> Entry:
    note = Dropped.from_row(row)
    return Entry(note.example, status, note.reason, note.neighbour, note.score)


def replaced(folder: Path, layer: Layer) -> Iterator[Edited]:
    """The examples that people edited before the run was prepared, with all that they have been."""
    for row in files.read_jsonl(folder / "dropped.jsonl"):
        note = Dropped.from_row(row)
        if note.reason == REPLACED:
            yield layer.apply(note.example)


def by_id(folder: Path, layer: Layer) -> dict[str, Pair]:
    """Every pair of a run under each id that it has had."""
    now = (entry for entry in entries(folder) if entry.reason != REPLACED)
    found = {entry.example.id: Pair(entry, layer.apply(entry.example)) for entry in now}
    for edited in replaced(folder, layer):
        prepared = [found[id].entry for id in edited.versions if id in found]
        # one that the split or the mixing left out is in no file but as it was
        last = prepared[-1] if prepared else Entry(next(iter(edited.versions.values())), "dropped", REPLACED)
        found |= dict.fromkeys(edited.versions, Pair(last, edited))
    return found


def matching(found: Iterable[Entry], text: str) -> Iterator[Entry]:
    """The entries whose question, answer, id or reason holds a text, in any case."""
    wanted = text.lower()
    for entry in found:
        e = entry.example
        if any(wanted in part.lower() for part in (e.question, e.answer, e.id, entry.reason)):
            yield entry


def counts(found: Iterable[Entry]) -> dict[str, dict[str, int]]:
    """How many entries there are by status, by source and maker, and by the reason why they were dropped."""
    status: Counter[str] = Counter()
    makers: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for entry in found:
        status[entry.status] += 1
        if entry.status == "dropped":
            reasons[entry.reason] += 1
        else:
            makers[f"{entry.example.origin or 'unnamed'} ({entry.example.maker or 'dataset'})"] += 1
    return {"status": dict(status), "sources": dict(makers.most_common()), "dropped": dict(reasons.most_common())}


def change(folder: Path, path: Path, wishes: Iterable[Edit]) -> list[Change]:
    """Add edits to the run's layer; returns what they change. Raises UserError for an example that the run lacks."""
    known = by_id(folder, Layer.read(path))
    makers = {id: pair.entry.example.maker for id, pair in known.items()}
    wanted = []
    for edit in wishes:
        check(edit, makers)
        wanted.append(edit if edit.action == "add" else _meant(edit, known[edit.id]))
    edits.append(path, wanted)
    layer = Layer.read(path)
    return [_done(edit, known.get(edit.id), layer) for edit in wanted]


def _meant(edit: Edit, pair: Pair) -> Edit:
    """An edit as the layer takes it: to restore a pair that was not taken out is to take its last edit back."""
    if edit.action == "restore" and edit.id == pair.entry.example.id and not pair.is_out:
        had = list(pair.edited.versions)
        return replace(edit, id=had[max(0, had.index(edit.id) - 1)])
    return edit


def _done(edit: Edit, pair: Pair | None, layer: Layer) -> Change:
    if pair is None:
        return Change(edit, None, Example.pair(edit.question, edit.answer, context=edit.context))
    first = next(iter(pair.edited.versions.values()))
    return Change(edit, pair.edited.example, layer.apply(first).example)


def check(edit: Edit, makers: Mapping[str, str]) -> None:
    """Raises UserError when an edit names no example of `makers` (id to maker), or one that is changed elsewhere."""
    if edit.action != "add" and edit.id not in makers:
        raise UserError(f"{edit.id}: no example of this run has this id; find it with --find TEXT")
    if makers.get(edit.id) == HELD_OUT:
        raise UserError(f"{edit.id}: a question of prepare.held_out.path; change it in that file")


def drawn(found: Iterable[Entry], n: int) -> list[Entry]:
    """At most `n` entries, drawn by their ids, which are hashes."""
    return heapq.nsmallest(n, found, key=lambda entry: entry.example.id[::-1])


def lengths(found: Iterable[Entry]) -> dict[str, list[int]]:
    """Words of the questions and answers of both sides: least, quarter, half, three quarters, most."""
    sizes: dict[str, list[int]] = {"question": [], "answer": []}
    for entry in found:
        if entry.status != "dropped":
            sizes["question"].append(len(entry.example.question.split()))
            sizes["answer"].append(len(entry.example.answer.split()))
    return {part: [int(q) for q in np.quantile(n, (0, 0.25, 0.5, 0.75, 1))] for part, n in sizes.items() if n}


def show_counts(folder: Path) -> None:
    """Print what the run's data is: sides, sources, lengths, what was dropped and what should be looked at."""
    found = counts(entries(folder))
    sides = " · ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in found["status"].items())
    console.say(f"[bold]{folder.parent.name}[/bold]  {sides}")
    console.table("Sources", ["", "pairs"], [[name, f"{n:,}"] for name, n in found["sources"].items()])
    spread = [[part, *map(str, sizes)] for part, sizes in lengths(entries(folder)).items()]
    console.table("Words", ["", "least", "25 %", "half", "75 %", "most"], spread)
    if found["dropped"]:
        console.table("Dropped", ["", "pairs"], [[reason, f"{n:,}"] for reason, n in found["dropped"].items()])
    listed = Counter(entry.reason for entry in flagged(folder))
    if listed:
        console.table("To be looked at", ["", "pairs"], [[reason, f"{n:,}"] for reason, n in listed.most_common()])


def show(found: Iterable[Entry], originals: dict[str, Example]) -> None:
    """Print entries, one after the other, with the id that changes them, and what those were that people edited."""
    for entry in found:
        e = entry.example
        why = " · ".join(filter(None, [entry.reason, f"{entry.score:.2f}" if entry.score is not None else ""]))
        console.say("")
        console.pair(e.id, entry.status, e.question, e.answer)
        if why:
            console.note(why + (f": {entry.neighbour}" if entry.neighbour else ""))
        if was := originals.get(e.id):
            console.pair(was.id, "as it was", was.question, was.answer)


DONE: dict[Action, str] = {"edit": "edited", "drop": "dropped", "restore": "restored", "add": "added"}


def show_changes(changes: list[Change], most: int) -> None:
    """Print what was changed: of up to `most` pairs what they were and are, then how many there are of each kind."""
    for change in changes[:most]:
        before, after = change.before, change.after
        console.say("")
        if before is not None and before.id != after.id:
            console.pair(before.id, "before", before.question, before.answer)
        console.pair(after.id, DONE[change.edit.action], after.question, after.answer)
    n = Counter(change.edit.action for change in changes)
    console.say("\n  changes " + " · ".join(f"{n[action]:,} {word}" for action, word in DONE.items() if n[action]))
