"""Texts as arrays of word hashes: what is compared at scale, without a Python object a word."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

BATCH = 2048  # texts a batch: its arrays stay in the processor's cache
REMEMBERED = 1_000_000  # words whose hash is kept at hand
ODD = np.uint64(0x9E3779B97F4A7C15)


class _WordHashes(dict[str, int]):
    """The 32-bit hash of each word that was asked for."""

    def __missing__(self, word: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        value = self[word] = zlib.crc32(word.encode("utf-8", "surrogatepass"))
        return value


@dataclass(frozen=True)
class Hashed:
    """n texts: the hashes of all words one after the other (uint32), and where each text begins (int64, n + 1)."""

    words: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[list[str]]) -> Hashed:
        """The hashes of texts that are cut into words, such as `words.words` gives them."""
        known = _WordHashes()
        parts, lengths = [np.zeros(0, np.uint32)], [np.zeros(1, np.int64)]
        for batch in _batched(texts, BATCH):
            lengths.append(np.fromiter(map(len, batch), np.int64, len(batch)))
            hashes = map(known.__getitem__, chain.from_iterable(batch))
            parts.append(np.fromiter(hashes, np.uint32, int(lengths[-1].sum())))
        return cls(np.concatenate(parts), np.cumsum(np.concatenate(lengths)))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Words of each text."""
        return np.diff(self.starts)

    def whole(self) -> np.ndarray:
        """One hash (uint64) a text, of all its words in their order."""
        total = np.zeros(len(self), np.uint64)
        for first in range(0, len(self), BATCH):
            starts = self.starts[first : first + BATCH + 1]
            counts = np.diff(starts)
            into = np.arange(starts[-1] - starts[0]) - np.repeat(starts[:-1] - starts[0], counts)
            spread = mixed(self.words[starts[0] : starts[-1]] + ODD) * mixed(into.astype(np.uint64) + ODD)
            sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(spread, dtype=np.uint64)))
            total[first : first + BATCH] = np.diff(sums[starts - starts[0]])
        return mixed(total + self.lengths.astype(np.uint64))

    def runs(self, size: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every run of `size` words in the texts from `first` to before `last`: hash, text and first word.

        Hashes are uint64, the positions of texts and of words int64 and ascending; a text of fewer words has no run.
        """
        starts = self.starts[first : last + 1]
        hashes = run_hashes(self.words[starts[0] : starts[-1]], size)
        counts = np.maximum(np.diff(starts) - size + 1, 0)
        owners = np.repeat(np.arange(first, last), counts)
        into = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(starts[:-1], counts) + into
        return hashes[places - starts[0]], owners, places

    def whole_runs(self, chosen: np.ndarray, size: int) -> np.ndarray:
        """Hashes of texts of just `size` words, as `runs` gives them."""
        places = self.starts[chosen][:, None] + np.arange(size)
        return run_hashes(self.words[places.ravel()], size)[::size]


def _batched(items: Iterable[list[str]], size: int) -> Iterator[list[list[str]]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def mixed(values: np.ndarray) -> np.ndarray:
    """Spread 64-bit values evenly (the finaliser of SplitMix64, Steele and others 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: np.ndarray = values ^ (values >> np.uint64(31))
    return spread


def run_hashes(hashes: np.ndarray, size: int) -> np.ndarray:
    """Hashes (uint64) of all runs of `size` neighbours in an array of word hashes (uint32)."""
    spread = mixed(hashes + ODD)
    count = max(len(spread) - size + 1, 0)
    total = np.zeros(count, np.uint64)
    for i in range(size):
        total = total * ODD + spread[i : i + count]
    return mixed(total)
