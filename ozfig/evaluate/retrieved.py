"""What a search over the run's own documents finds for each held-out question, and how often it is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ozfig import console
from ozfig.evaluate.statistics import wilson
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.search import Searcher
from ozfig.types import Example

WORD = re.compile(r"\w+")
SAME = 0.6  # a found passage is the right one when it shares this much of the shorter one's words
LEAST = 0.5  # and when it is no mere scrap: so many words for each of the right one


class Found:
    """The best `k` passages for each question, best first."""

    def __init__(self, items: Sequence[Example], index: Path, k: int) -> None:
        self.k = k
        hits = Searcher.open(index).search_all([item.question for item in items], k)
        self._passages = {item.id: [hit.passage for hit in found] for item, found in zip(items, hits, strict=True)}

    def context(self, item: Example) -> str:
        """What a model is shown: the best passage last, next to the question, where a cut to size would come last."""
        return "\n\n".join(passage.with_title() for passage in reversed(self._passages[item.id]))

    def recall(self, items: Sequence[Example]) -> dict[str, Any] | None:
        """For how many of the questions with a right passage it was found, with a 95 % interval (Wilson)."""
        asked = [item for item in items if item.context]
        if not asked:
            return None
        right = sum(any(_is_same(item.context, p) for p in self._passages[item.id]) for item in asked)
        low, high = wilson(right, len(asked))
        return {
            "k": self.k,
            "n": len(asked),
            "recall": round(right / len(asked), 6),
            "low": round(low, 6),
            "high": round(high, 6),
        }


def search(items: Sequence[Example], index: Path | None, k: int) -> Found | None:
    """What the run's index finds; None, with a note, for a run that has none."""
    if index is None or not index.is_dir():
        console.warn("evaluate: the run has no documents to search, so the condition retrieved is left out")
        return None
    return Found(items, index, k)


def _is_same(text: str, passage: Passage) -> bool:
    wanted, found = (set(WORD.findall(t.lower())) for t in (text, passage.with_title()))
    return len(found) >= LEAST * len(wanted) and len(wanted & found) >= SAME * max(1, min(len(wanted), len(found)))
