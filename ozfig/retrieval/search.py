"""The passages for a question, best first: by words, by meaning, or by both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ozfig import console, files
from ozfig.engines import embeddings
from ozfig.errors import UserError
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.index import PASSAGES, STARTS, VECTORS, WORDS
from ozfig.retrieval.words import terms

SHARE_OF_WORDS = 0.2  # of the fused score; chosen by measurement: docs/retrieval.md
TOGETHER = 64  # questions whose products are held at once


@dataclass(frozen=True)
class Hit:
    """A passage that was found, and the score that ranks it among the others of its search (of no other one)."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Meanings:
    """Unit vectors of passages and their sentences, float32 of shape (units, 384), and where each passage's begin."""

    vectors: np.ndarray
    starts: np.ndarray

    def alike(self, questions: np.ndarray) -> np.ndarray:
        """Cosines of shape (questions, passages): the mean of a passage's own and of its best sentence's."""
        cosines = questions @ self.vectors.T
        best: np.ndarray = np.maximum.reduceat(cosines, self.starts, axis=1)
        mean: np.ndarray = (cosines[:, self.starts] + best) / 2
        return mean


class Searcher:
    """An index, opened. Not changed by searching, so that several threads may use it."""

    def __init__(self, passages: list[Passage], words: Any, meanings: Meanings | None) -> None:
        self.passages, self._words, self._meanings = passages, words, meanings

    @classmethod
    def open(cls, folder: Path) -> Searcher:
        """The index of a folder that `index.build` wrote. Raises UserError when there is none.

        Where embeddings cannot be computed it searches by words alone, and says so.
        """
        import bm25s

        if not (folder / PASSAGES).is_file():
            raise UserError(f"{folder}: no index of passages; make one with: ozfig prepare")
        passages = [Passage.from_row(row) for row in files.read_jsonl(folder / PASSAGES)]
        words = bm25s.BM25.load(folder / WORDS, show_progress=False)
        return cls(passages, words, _meanings(folder))

    def search(self, query: str, k: int = 5) -> list[Hit]:
        """The best `k` passages for a question."""
        return self.search_all([query], k)[0]

    def search_all(self, queries: Sequence[str], k: int = 5) -> list[list[Hit]]:
        """The best `k` passages for each question; of equals the first.

        Without embeddings, passages that share no word with it are left out.
        """
        found: list[list[Hit]] = []
        for first in range(0, len(queries), TOGETHER):
            scores = self.scores(queries[first : first + TOGETHER])
            found += [
                [Hit(self.passages[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:k]] for row in scores
            ]
        return found if self._meanings else [[hit for hit in hits if hit.score > 0] for hits in found]

    def scores(self, queries: Sequence[str]) -> np.ndarray:
        """Every passage's score for each question, shape (queries, passages).

        BM25 alone, or BM25 and cosine, each as standard deviations from its mean over the passages.
        """
        words = np.stack([self._by_words(query) for query in queries])
        if self._meanings is None:
            return words
        meanings = self._meanings.alike(embeddings.embed(queries))
        return SHARE_OF_WORDS * _standardised(words) + (1 - SHARE_OF_WORDS) * _standardised(meanings)

    def _by_words(self, query: str) -> np.ndarray:
        """BM25 of every passage, shape (passages,)."""
        known = [term for term in terms(query) if term in self._words.vocab_dict]
        if not known:
            return np.zeros(len(self.passages), dtype=np.float32)
        scores: np.ndarray = self._words.get_scores(known)
        return scores


def _meanings(folder: Path) -> Meanings | None:
    if not (folder / VECTORS).exists():
        return None
    if not embeddings.available():
        console.warn('searching by words alone: searching by meaning needs pip install "ozfig[tune]"')
        return None
    vectors, starts = (np.load(folder / name, allow_pickle=False) for name in (VECTORS, STARTS))
    return Meanings(vectors.astype(np.float32), starts)


def _standardised(scores: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and standard deviation 1; a row of equals becomes zeros."""
    around = scores - scores.mean(axis=1, keepdims=True)
    spread = around.std(axis=1, keepdims=True)
    found: np.ndarray = np.divide(around, spread, out=np.zeros_like(around), where=spread > 0)
    return found
