"""The best of a few passages for a question, with no index kept: for pages that were read a moment ago."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ozfig.engines import embeddings
from ozfig.retrieval import index
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.search import Hit, Meanings, Searcher
from ozfig.retrieval.words import terms

CANDIDATES = 16  # found by words, whose meanings are compared: each takes some milliseconds


def ranked(passages: Sequence[Passage], question: str, k: int) -> list[Hit]:
    """The best `k` passages, best first; only those that share a word with the question.

    By words (BM25), then, where embeddings can be computed, the best of these by words and meaning together.
    """
    readable = [passage for passage in passages if terms(passage.with_title())]
    if not readable:
        return []
    texts = [passage.with_title() for passage in readable]
    hits = Searcher(readable, index.by_words(texts), None).search(question, CANDIDATES)
    if len(hits) <= 1 or not embeddings.available():
        return hits[:k]
    found = [hit.passage for hit in hits]
    texts = [passage.with_title() for passage in found]
    meanings = Meanings(embeddings.embed(texts), np.arange(len(texts)))
    return Searcher(found, index.by_words(texts), meanings).search(question, k)
