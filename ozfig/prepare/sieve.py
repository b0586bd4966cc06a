"""The rows of a run on their way through the filters: which are left, which were taken out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ozfig.edits import BY_HAND, REPLACED, Layer
from ozfig.prepare import Verdict
from ozfig.prepare.rows import StoredRows
from ozfig.types import Dropped, Example, Flagged


@dataclass(frozen=True)
class _Note:
    """A verdict kept for the record: of the row at `place` of the whole set, and the row as it was then."""

    place: int
    verdict: Verdict


class Sieve:
    """Applies verdicts to rows. Rows that a person restored stay, whatever a filter says of them."""

    def __init__(self, rows: StoredRows, protected: Collection[str] = ()) -> None:
        """`protected` are the ids of the rows that people want to stay."""
        self.rows = rows
        self.kept = np.arange(len(rows))
        self.restored: Counter[str] = Counter()
        self._protected = protected
        self._notes: list[_Note] = []
        self._flags: list[_Note] = []
        self._replaced: dict[int, Example] = {}

    @property
    def view(self) -> Sequence[Example]:
        """The rows that are left, as they are now, in order."""
        return _View(self, self.kept)

    def choose(self, places: Sequence[int]) -> Sequence[Example]:
        """Rows by their places in the whole set."""
        return _View(self, np.asarray(places, dtype=np.int64))

    def row(self, place: int) -> Example:
        """The row at a place of the whole set, as it is now."""
        return self._replaced.get(place) or self.rows[place]

    def apply(self, verdicts: Iterable[Verdict], among: Sequence[int] | None = None) -> None:
        """Take the verdicts on the rows `among` (places of the whole set; all that are left, if not given)."""
        places = self.kept if among is None else np.asarray(among, dtype=np.int64)
        out: set[int] = set()
        for verdict in verdicts:
            place = int(places[verdict.index])
            if verdict.action == "flag":
                self._flags.append(_Note(place, verdict))
            elif self._protected and self.row(place).id in self._protected:
                self.restored[verdict.reason] += 1
            elif place not in out:
                self._notes.append(_Note(place, verdict))
                if verdict.replacement is None:
                    out.add(place)
                else:
                    self._replaced[place] = verdict.replacement
        if out:
            self.kept = self.kept[~np.isin(self.kept, list(out))]

    def dropped(self) -> Iterator[Dropped]:
        """What was taken out or replaced, as it came in."""
        for note in self._notes:
            verdict = note.verdict
            yield Dropped(self.rows[note.place], verdict.reason, verdict.neighbour, verdict.score)

    def taken(self) -> Counter[str]:
        """How many rows were taken out for each reason."""
        return Counter(note.verdict.reason for note in self._notes if note.verdict.replacement is None)

    def flagged(self) -> Iterator[Flagged]:
        """What was kept and should be looked at; rows that were dropped after all are left out."""
        left = set(self.kept.tolist())
        for note in self._flags:
            if note.place in left:
                verdict = note.verdict
                yield Flagged(self.row(note.place), verdict.reason, verdict.neighbour, verdict.score)


class _View(Sequence[Example]):
    """A choice of a sieve's rows."""

    def __init__(self, sieve: Sieve, places: np.ndarray) -> None:
        self._sieve, self._places = sieve, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _View(self._sieve, self._places[index])
        return self._sieve.row(int(self._places[index]))

    def __iter__(self) -> Iterator[Example]:
        return (self._sieve.row(int(place)) for place in self._places)


class Laid:
    """The stream of examples with the edits over them; what people took out or protected is known when it is read."""

    def __init__(self, examples: Iterable[Example], layer: Layer) -> None:
        self.layer = layer
        self.dropped: list[Dropped] = []
        self.protected: set[str] = set()
        self._examples = examples

    def __iter__(self) -> Iterator[Example]:
        by_hand = len(self.layer.added)
        for left, example in enumerate(chain(self.layer.added, self._examples), -by_hand):
            edited = self.layer.apply(example)
            if edited.example.id != example.id:
                self.dropped.append(Dropped(example, REPLACED, edited.example.question))
            if edited.drop:
                self.dropped.append(Dropped(edited.example, BY_HAND))
                continue
            if edited.keep or left < 0:
                self.protected.add(edited.example.id)
            yield edited.example

    def counts(self) -> dict[str, int]:
        """How many examples people edited, dropped and added."""
        fates = Counter(note.reason for note in self.dropped)
        return {"edited": fates[REPLACED], "dropped": fates[BY_HAND], "added": len(self.layer.added)}
