"""Exact and near duplicates: every pair above the threshold is found, none is guessed.

The pairs come from prefix filtering (Chaudhuri and others 2006; Bayardo and others 2007): two sets of
similarity t share an element among the rarest (1 - t) of either, and most of the rarest runs of words
of a text stand in no other text, so that few candidates are left to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ozfig.overlap.hashed import BATCH, ODD, Hashed, mixed
from ozfig.overlap.words import NUMBER, words
from ozfig.prepare.envelopes import unwrapped

SHINGLE = 3
PAIRS = 1 << 17  # candidate pairs that are waited for before they are compared ...
VALUES = 1 << 20  # ... and about the shingles that are compared at a time
SLACK = 1e-9  # of floating point: 0.7 * 10 is above 7


def shingles(text: str) -> frozenset[str]:
    """The runs of three words of a text; a shorter text is one run."""
    found = words(text)
    return frozenset(" ".join(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared shingles over all shingles of two texts."""
    return len(a & b) / len(a | b) if a | b else 1.0


def near_duplicates(texts: Iterable[str], threshold: float = 0.5) -> list[list[int]]:
    """Groups of indices of texts that are alike; texts without a twin are in none.

    Two texts are alike when the Jaccard similarity of their 3-word shingles reaches `threshold`, the
    envelope around them ("Please answer the following question: ...") left aside, and they hold the same
    numbers: rows of a price list share their words and are still different facts. Groups are sorted
    and depend on the texts alone. Of each text about 8 bytes a word are kept.
    """
    figures: list[int] = []
    hashed = Hashed.of(_cores(texts, figures))
    whole = hashed.whole()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    joined = _Joined(first[inverse] if len(whole) else np.zeros(0, np.int64))
    rows = np.sort(first)
    sets = _Sets.of(hashed, whole, rows)
    sets.join(joined, np.array(figures, np.int64)[rows].view(np.uint64), threshold)
    return joined.groups()


def _cores(texts: Iterable[str], figures: list[int]) -> Iterator[list[str]]:
    """The words of each text without its envelope; a hash of its sorted numbers goes to `figures`."""
    for text in texts:
        figures.append(hash(tuple(sorted(map(_number, NUMBER.findall(text))))))
        yield unwrapped(text)


def _number(digits: str) -> int:
    """Digits as a value whose hash is the same in every process; leading zeros count."""
    return int("1" + digits[:400])


@dataclass(frozen=True)
class _Sets:
    """Sets of 32-bit shingle hashes, each sorted: `values` one after the other, `starts` (n + 1), `rows` whose."""

    values: np.ndarray
    starts: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, hashed: Hashed, whole: np.ndarray, rows: np.ndarray) -> _Sets:
        """The sets of some texts."""
        parts, sizes = [np.zeros(0, np.uint32)], [np.zeros(1, np.int64)]
        for first in range(0, len(hashed), BATCH):
            last = min(first + BATCH, len(hashed))
            runs, owners, _ = hashed.runs(SHINGLE, first, last)
            short = first + np.flatnonzero(hashed.lengths[first:last] < SHINGLE)
            owners, runs = np.concatenate((owners, short)) - first, np.concatenate((runs, whole[short]))
            chosen = np.isin(np.arange(first, last), rows[slice(*np.searchsorted(rows, (first, last)))])
            keep = chosen[owners]
            keys = np.unique(_tagged(owners[keep], (runs[keep] >> np.uint64(32)).astype(np.uint32)))
            parts.append(keys.astype(np.uint32))
            sizes.append(np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=last - first)[chosen])
        return cls(np.concatenate(parts), np.cumsum(np.concatenate(sizes)), rows)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Shingles of each set."""
        return np.diff(self.starts)

    def join(self, joined: _Joined, figures: np.ndarray, threshold: float) -> None:
        """Join all pairs that are alike."""
        for a, b in self._candidates(joined, figures, threshold):
            alike = self._similarity(a, b) >= threshold
            joined.join(self.rows[a[alike]], self.rows[b[alike]])

    def _prefixes(self, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The shingles among the rarest of their set that stand in other sets, too.

        Of each its owner, its value, and how many shingles of the set there are from it on.
        """
        order = np.argsort(self.values)
        counts = np.diff(_begins(self.values[order]), append=len(order))
        spread = np.empty(len(order), np.uint32)
        spread[order] = np.repeat(counts, counts)
        alone = np.add.reduceat(spread == 1, self.starts[:-1]) if len(self.rows) else np.zeros(0, np.int64)
        room = self.sizes - np.ceil(threshold * self.sizes - SLACK).astype(np.int64) + 1 - alone
        places = np.flatnonzero((spread > 1) & np.repeat(room > 0, self.sizes))
        owners = np.searchsorted(self.starts, places, side="right") - 1
        values = self.values[places]
        order = np.lexsort((values, spread[places], owners))
        owners, values = owners[order], values[order]
        rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
        keep = rank < room[owners]
        return owners[keep], values[keep], (self.sizes - alone)[owners[keep]] - rank[keep]

    def _candidates(
        self, joined: _Joined, figures: np.ndarray, threshold: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of sets of the same figures that share a value of their prefixes and may be alike by their sizes.

        Neighbours in a bucket come first, so that pairs further apart are often joined already and left out.
        """
        owners, values, rest = self._prefixes(threshold)
        keys = mixed(figures[owners] ^ mixed(values + ODD))
        order = np.lexsort((owners, self.sizes[owners], keys))
        owners, keys, rest = owners[order], keys[order], rest[order]
        sizes = self.sizes[owners]
        left, step = np.arange(len(owners)), 0
        waiting: list[np.ndarray] = []
        while len(left):
            step += 1
            left = left[left + step < len(owners)]
            there = left + step
            # sizes ascend in a bucket: what is too large now stays too large
            left = left[(keys[left] == keys[there]) & (sizes[left] >= threshold * sizes[there] - SLACK)]
            a, b = left, left + step
            # what two sets may share from their first common value on (the positional filter of Xiao and others 2008)
            enough = np.minimum(rest[a], rest[b]) >= threshold / (1 + threshold) * (sizes[a] + sizes[b]) - SLACK
            a, b = owners[a[enough]], owners[b[enough]]
            apart = joined.roots[self.rows[a]] != joined.roots[self.rows[b]]
            waiting.append(_tagged(np.minimum(a, b)[apart], np.maximum(a, b)[apart].astype(np.uint32)))
            if sum(map(len, waiting)) >= PAIRS or not len(left):
                pairs = np.unique(np.concatenate(waiting))
                waiting = []
                for first in range(0, len(pairs), PAIRS):
                    chosen = pairs[first : first + PAIRS]
                    yield (chosen >> np.uint64(32)).astype(np.int64), chosen.astype(np.uint32).astype(np.int64)

    def _similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Jaccard similarity of each pair of sets."""
        sizes = self.sizes[a] + self.sizes[b]
        shared = np.zeros(len(a), np.int64)
        ends = np.cumsum(sizes)
        first = 0
        while first < len(a):
            last = max(first + 1, int(np.searchsorted(ends, ends[first] + VALUES)))
            pairs = np.arange(first, last)
            keys = np.sort(np.concatenate((self._keys(a[pairs]), self._keys(b[pairs]))))
            twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
            shared[pairs] = np.bincount(twice.astype(np.int64), minlength=len(pairs))
            first = last
        similarity: np.ndarray = shared / (sizes - shared)
        return similarity

    def _keys(self, chosen: np.ndarray) -> np.ndarray:
        """The values of some sets, tagged with the place of their set among the chosen."""
        sizes = self.sizes[chosen]
        into = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        values = self.values[np.repeat(self.starts[chosen], sizes) + into]
        return _tagged(np.repeat(np.arange(len(chosen)), sizes), values)


class _Joined:
    """Which texts hang together: `roots` holds the first text of each one's group."""

    def __init__(self, roots: np.ndarray) -> None:
        self.roots = roots

    def join(self, a: np.ndarray, b: np.ndarray) -> None:
        """Join pairs of texts."""
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            one, other = sorted((self._root(i), self._root(j)))
            self.roots[other] = one
        while not np.array_equal(further := self.roots[self.roots], self.roots):
            self.roots = further

    def _root(self, i: int) -> int:
        while (above := int(self.roots[i])) != i:
            i = above
        return i

    def groups(self) -> list[list[int]]:
        """The groups of two and more, sorted."""
        order = np.argsort(self.roots, kind="stable")
        parts = np.split(order, _begins(self.roots[order])[1:])
        return [part.tolist() for part in parts if len(part) > 1]


def _begins(ordered: np.ndarray) -> np.ndarray:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def _tagged(tags: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Tags and 32-bit values as one key each (uint64)."""
    keys: np.ndarray = tags.astype(np.uint64) << np.uint64(32) | values
    return keys
