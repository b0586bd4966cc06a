"""Training rows that hold the questions, choices or passages of benchmarks.

A part of an item of eight words and more is known by its runs of eight words, a shorter one by all its words in a
row. Runs that stand in many training rows are turns of phrase and prove nothing, and neither do runs of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ozfig import console
from ozfig.overlap.hashed import BATCH, Hashed
from ozfig.overlap.items import KINDS, Kind, Part, all_parts, says_something, stands_alone
from ozfig.overlap.words import words
from ozfig.types import Example

GRAM = 8  # words in a row that two texts share by chance only where they are a turn of phrase
SHORTEST = 3  # words of a short part that is looked for within a text; a shorter question only leaks as a whole turn
SHORTEST_SENTENCE = 5  # the same for a sentence of a context
STOCK = 4  # a run of words in more training rows than this is a turn of phrase, not a leak
OWNERS = 64  # a run of words in more parts than this is one of the benchmark's phrases
CHOICES = 2  # short choices of one item that make a leak together
TELLING = 2  # words of a run that have to be more than numbers and stop words
# share of a part's runs that a text has to hold, and how many runs are enough whatever their share: a long
# question is known by 12 of its words in a row, a reference answer (often a common phrase or code) by half of it
SHARE = {"question": 0.1, "stem": 0.1, "choice": 0.5, "context": 0.5, "answer": 0.5}
ENOUGH = {"question": 5, "stem": 5, "choice": 5, "context": 5, "answer": 10**6}


class Overlap(NamedTuple):
    """A row (its place) that holds a part of an item (its place): what part it is, and the share of it."""

    row: int
    item: int
    kind: Kind
    share: float


def find(rows: Sequence[Example], items: Sequence[Example]) -> Iterator[Overlap]:
    """The best proof for each row with a turn or context that holds a part of an item."""
    parts = all_parts(items)
    if not parts:
        return
    owners: list[int] = []
    texts = Hashed.of(_texts(rows, owners))
    found = _Leaks.none()
    index = _Index(parts)
    for leaks in (index.long(texts, np.array(owners)), index.short(texts, np.array(owners)), index.whole(texts)):
        found = found.plus(leaks)
    for row, part, share in found.by_row(np.array(owners), parts):
        yield Overlap(row, parts[part].item, parts[part].kind, round(share, 3))


def _texts(rows: Sequence[Example], owners: list[int]) -> Iterator[list[str]]:
    """The words of every turn and context; the row of each goes to `owners`."""
    with console.bar("leaks", len(rows)) as bar:
        for i, row in enumerate(rows):
            for text in (*(m.content for m in row.messages if m.role != "system"), row.context):
                if text:
                    owners.append(i)
                    yield words(text)
            bar.advance()


@dataclass(frozen=True)
class _Leaks:
    """Texts (positions, int64), the part that each holds, and the share of the part that is there."""

    texts: np.ndarray
    parts: np.ndarray
    shares: np.ndarray

    @classmethod
    def none(cls) -> _Leaks:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

    def plus(self, other: _Leaks) -> _Leaks:
        return _Leaks(
            np.concatenate((self.texts, other.texts)),
            np.concatenate((self.parts, other.parts)),
            np.concatenate((self.shares, other.shares)),
        )

    def by_row(self, owners: np.ndarray, parts: Sequence[Part]) -> Iterator[tuple[int, int, float]]:
        """Row, part and share of the best proof for each row: the larger share, then questions before passages."""
        if not len(self.texts):
            return
        rows = owners[self.texts]
        kinds = np.array([KINDS.index(part.kind) for part in parts])[self.parts]
        order = np.lexsort((self.parts, kinds, -self.shares, rows))
        _, first = np.unique(rows[order], return_index=True)
        for at in order[first].tolist():
            yield int(rows[at]), int(self.parts[at]), float(self.shares[at])


class _Index:
    """The parts of a benchmark's items by their runs of words."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.hashed = Hashed.of(part.words for part in parts)
        self.telling = np.fromiter(map(stands_alone, parts), bool, len(parts))
        self.kinds = np.array([KINDS.index(part.kind) for part in parts])
        self.items = np.array([part.item for part in parts])
        per_word = np.fromiter((says_something(w) for part in parts for w in part.words), bool, len(self.hashed.words))
        self.told = np.concatenate(([0], np.cumsum(per_word)))

    def long(self, texts: Hashed, owners: np.ndarray) -> _Leaks:
        """Leaks of the parts of eight words and more."""
        hashes, parts, places = self.hashed.runs(GRAM, 0, len(self.hashed))
        keys, ids = np.unique(hashes, return_inverse=True)
        says = np.zeros(len(keys), bool)
        says[ids] = self.told[places + GRAM] - self.told[places] >= TELLING
        # each run once a part, without the phrases of the benchmark
        pairs = np.unique(np.stack((ids, parts), 1), axis=0)
        spread = np.bincount(pairs[:, 0], minlength=len(keys))
        pairs = pairs[spread[pairs[:, 0]] <= OWNERS]
        runs = np.bincount(pairs[:, 1], minlength=len(self.kinds))
        where, ids = _hits(texts, GRAM, keys)
        proof = says & ~_stock(owners[where], ids, len(keys))
        # every hit stands for all parts that the run is in
        first, last = np.searchsorted(pairs[:, 0], ids), np.searchsorted(pairs[:, 0], ids, side="right")
        hit = np.repeat(np.arange(len(ids)), last - first)
        into = np.arange(len(hit)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
        parts = pairs[first[hit] + into, 1]
        both, at = np.unique(where[hit] * len(self.kinds) + parts, return_inverse=True)
        shared, proved = np.bincount(at, minlength=len(both)), np.bincount(at, proof[ids[hit]], len(both))
        where, parts = both // len(self.kinds), both % len(self.kinds)
        share = np.array([SHARE[kind] for kind in KINDS])[self.kinds[parts]]
        enough = np.array([ENOUGH[kind] for kind in KINDS])[self.kinds[parts]]
        leak = (proved >= np.minimum(np.ceil(share * runs[parts]), enough)) | (shared == runs[parts]) & (proved > 0)
        return _Leaks(where[leak], parts[leak], shared[leak] / runs[parts[leak]])

    def short(self, texts: Hashed, owners: np.ndarray) -> _Leaks:
        """Leaks of questions, stems, choices and sentences of fewer than eight words."""
        lengths, context = self.hashed.lengths, self.kinds == KINDS.index("context")
        looked_for = self.telling & (self.kinds != KINDS.index("answer")) & ~(context & (lengths < SHORTEST_SENTENCE))
        found = _Leaks.none()
        for size in range(SHORTEST, GRAM):
            parts = np.flatnonzero(looked_for & (lengths == size))
            keys, ids = np.unique(self.hashed.whole_runs(parts, size), return_inverse=True)
            parts = parts[np.argsort(ids)]
            where, ids = _hits(texts, size, keys)
            alone = texts.lengths[where] == size
            clear = alone | ~_stock(owners[where], ids, len(keys))[ids]
            where, ids = where[clear], ids[clear]
            found = found.plus(_Leaks(where, parts[ids], np.ones(len(ids))))
        choice = self.kinds[found.parts] == KINDS.index("choice")
        # one short choice may stand anywhere, several of one item do not
        both = found.texts * (self.items.max() + 1) + self.items[found.parts]
        _, at, together = np.unique(both[choice], return_inverse=True, return_counts=True)
        keep = ~choice
        keep[choice] = together[at] >= CHOICES
        return _Leaks(found.texts[keep], found.parts[keep], found.shares[keep])

    def whole(self, texts: Hashed) -> _Leaks:
        """Turns that are nothing but a question of one or two words."""
        asked = np.isin(self.kinds, [KINDS.index("question"), KINDS.index("stem")])
        parts = np.flatnonzero((self.hashed.lengths < SHORTEST) & self.telling & asked)
        keys, first = np.unique(self.hashed.whole()[parts], return_index=True)
        turns = texts.whole()
        where = np.flatnonzero(np.isin(turns, keys))
        return _Leaks(where, parts[first[np.searchsorted(keys, turns[where])]], np.ones(len(where)))


def _hits(texts: Hashed, size: int, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts and the positions in `keys` (sorted) of the runs that they hold, each pair once."""
    seen = np.zeros(1 << 24, bool)  # most runs are in no key: one look by their first bits tells
    seen[keys >> np.uint64(40)] = True
    found = [np.zeros((0, 2), np.int64)]
    for first in range(0, len(texts), BATCH):
        hashes, where, _ = texts.runs(size, first, min(first + BATCH, len(texts)))
        maybe = np.flatnonzero(seen[hashes >> np.uint64(40)])
        hashes, where = hashes[maybe], where[maybe]
        at = np.searchsorted(keys, hashes)
        at[at == len(keys)] = 0
        same = keys[at] == hashes if len(keys) else np.zeros(len(at), bool)
        found.append(np.unique(np.stack((where[same], at[same]), 1), axis=0))
    pairs = np.concatenate(found)
    return pairs[:, 0], pairs[:, 1]


def _stock(rows: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    """Which of `count` runs stand in more rows than a leak would."""
    pairs = np.unique(np.stack((rows, ids), 1), axis=0)
    return np.bincount(pairs[:, 1], minlength=count) > STOCK
