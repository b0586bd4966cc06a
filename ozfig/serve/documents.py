"""The run's own documents: their index, and whether the run's report says that they help."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

from ozfig import files
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.search import Searcher
from ozfig.runs import Run

# the metric that the report's verdict speaks of: the first of these that was measured
PRIMARY = ("token_f1", "bleu4", "bertscore", "exact_match")


class Documents:
    """The index of a run, opened with the first question. Threads may share it."""

    def __init__(self, run: Path | None, retrieve: Literal["auto", "always", "never"] = "auto") -> None:
        """`run` is the run's folder; None for a model that has none."""
        index = Run(run).stage("prepare") / "index" if run else None
        self._index = index if index and index.is_dir() and retrieve != "never" else None
        self._report = Run(run).stage("evaluate") / "report.json" if run else None
        self._retrieve = retrieve
        self._lock = threading.Lock()
        self._searcher: Searcher | None = None

    @property
    def there(self) -> bool:
        """Whether there is anything to search."""
        return self._index is not None

    @property
    def wanted(self) -> bool:
        """Whether questions are answered from them where nobody says otherwise."""
        if not self._index or self._retrieve != "auto":
            return self._index is not None
        report = self._report
        return report is not None and report.is_file() and helps(files.read_json(report))

    def search(self, question: str, k: int) -> list[Passage]:
        """The best `k` passages, best first; none where there is no index."""
        if self._index is None:
            return []
        with self._lock:
            self._searcher = self._searcher or Searcher.open(self._index)
        return [hit.passage for hit in self._searcher.search(question, k)]


def helps(report: dict[str, Any]) -> bool:
    """Whether a report shows that replies are better with what a search finds than closed book.

    By the verdict's metric, when the 95 % interval of the paired difference lies above zero and p is below 0.05: of
    the quantised model where that was compared, else of the tuned one, whose weights it has, else of the base.
    """
    rows = {
        (row["a"].partition("@")[0], row["metric"]): row
        for row in report.get("comparisons", [])
        if row["task"] == "held_out" and row["condition"] == "closed_book->retrieved"
    }
    places = [(point, metric) for point in ("quantised", "tuned", "base") for metric in PRIMARY]
    found = [rows[place] for place in places if place in rows]
    return bool(found) and found[0]["low"] > 0 and found[0]["p"] < 0.05
