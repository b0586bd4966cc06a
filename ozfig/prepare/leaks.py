"""Training examples that repeat or re-word a held-out question, or hold an item of a benchmark."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ozfig.overlap import contamination
from ozfig.overlap.contamination import GRAM, STOCK
from ozfig.overlap.words import content_words, grams, normalised, numbers
from ozfig.prepare import Verdict
from ozfig.prepare.duplicates import jaccard
from ozfig.recipe import Leaks
from ozfig.types import Example

# the page that a question names before itself or in brackets at its end: "Boat hire: ...?", "... (Boat hire)?"
NAMED_PAGE = re.compile(r"^[^:?]{3,60}: | \([^()]+\)(?=[?.]?$)")
BENCHMARK = "leak: benchmark"  # how the reasons of such rows begin
Leak = tuple[str, int, float | None]


def find_leaks(
    rows: Sequence[Example], held_out: Sequence[Example], benchmarks: Sequence[Example], section: Leaks, unit: str
) -> Iterator[Verdict]:
    """One verdict for each row that leaks a held-out question or, if none, an item of a benchmark.

    A leak asks a held-out question in the same words (exact), with at least `section.threshold` of the content
    words of both (reworded, Jaccard; the page that one of them names may be left out) or with eight of its words
    in a row that are no stock phrase (ngram). Another number makes it another question. With unit "document" the
    same source or passage is a leak too, and so are eight words in a row of a held-out passage in an answer or
    passage. What a leak of a benchmark is, `contamination` says.
    """
    leaked = np.zeros(len(rows), bool)
    if held_out:
        index = _Index(held_out, unit, _stock(rows, held_out))
        for i, row in enumerate(rows):
            if found := index.look(row, section.threshold):
                kind, item, score = found
                leaked[i] = True
                yield Verdict(i, f"leak: {kind}", "drop", held_out[item].question, score)
    for held in contamination.find(rows, benchmarks):
        if not leaked[held.row]:
            question = benchmarks[held.item].question
            yield Verdict(held.row, f"{BENCHMARK} {held.kind}", "drop", question, held.share)


def _stock(rows: Sequence[Example], held_out: Sequence[Example]) -> set[str]:
    """The runs of eight words of held-out questions that many rows ask with."""
    asked = {gram for item in held_out for gram in grams(item.question, GRAM)}
    counts: Counter[str] = Counter()
    for row in rows if asked else ():
        counts.update(asked.intersection(grams(row.question, GRAM)))
    return {gram for gram, count in counts.items() if count > STOCK}


@dataclass(frozen=True)
class _Asked:
    """Content words of a question: all of them, and those without the page that it names."""

    page: str
    whole: frozenset[str]
    bare: frozenset[str]
    figures: list[str]

    @classmethod
    def of(cls, question: str) -> _Asked:
        named = NAMED_PAGE.search(question)
        bare = NAMED_PAGE.sub("", question, count=1)
        page = normalised(named[0]) if named else ""
        return cls(page, content_words(question), content_words(bare), numbers(question))

    def similarity(self, other: _Asked) -> float:
        """Jaccard similarity of what is asked. Questions on one page have its name in common, which says nothing."""
        whole, bare = jaccard(self.whole, other.whole), jaccard(self.bare, other.bare)
        if self.page == other.page:
            return bare
        return whole if self.page and other.page else max(whole, bare)


class _Index:
    """Held-out questions by whole text, by content word and by run of eight words."""

    def __init__(self, held_out: Sequence[Example], unit: str, stock: set[str]) -> None:
        questions = [item.question for item in held_out]
        self.asked = [_Asked.of(question) for question in questions]
        self.exact = {normalised(question): i for i, question in enumerate(questions)}
        self.by_word: dict[str, list[int]] = defaultdict(list)
        for i, asked in enumerate(self.asked):
            for word in asked.whole:
                self.by_word[word].append(i)
        runs = ((gram, i) for i, question in enumerate(questions) for gram in grams(question, GRAM))
        self.grams = {gram: i for gram, i in runs if gram not in stock}
        self.sources: dict[str, int] = {}
        self.passages: dict[str, int] = {}
        if unit == "document":
            self.sources = {item.source: i for i, item in enumerate(held_out) if item.source}
            # a passage of fewer than eight words is one run
            whole = {normalised(item.context): i for i, item in enumerate(held_out) if item.context}
            runs = ((gram, i) for i, item in enumerate(held_out) for gram in grams(item.context, GRAM))
            self.passages = whole | dict(runs)

    def look(self, example: Example, threshold: float) -> Leak | None:
        """Kind of leak, the held-out item and the similarity; None for a clean example. Every turn is looked at."""
        asked = [message.content for message in example.messages if message.role == "user"]
        found = (self._question(question, threshold) for question in asked)
        return next((leak for leak in found if leak), None) or self._document(example)

    def _question(self, question: str, threshold: float) -> Leak | None:
        same = self.exact.get(normalised(question))
        if same is not None:
            return "exact", same, 1.0
        asked = _Asked.of(question)
        score, item = self._nearest(asked, threshold)
        if score:
            return "reworded", item, round(score, 3)
        runs = (self.grams[gram] for gram in grams(question, GRAM) if gram in self.grams)
        shared = next((i for i in runs if self.asked[i].figures == asked.figures), None)
        return ("ngram", shared, None) if shared is not None else None

    def _nearest(self, asked: _Asked, threshold: float) -> tuple[float, int]:
        """Similarity and index of the nearest held-out question of the same numbers; 0 below the threshold."""
        shared: Counter[int] = Counter()
        for word in asked.whole:
            shared.update(self.by_word.get(word, ()))
        best = 0.0, 0
        for item, count in shared.items():
            other = self.asked[item]
            # no similarity reaches the threshold with fewer common words than this
            if count >= threshold * max(len(asked.bare), len(other.bare)) and asked.figures == other.figures:
                score = asked.similarity(other)
                if score >= threshold:
                    best = max(best, (score, -item))
        return best[0], -best[1]

    def _document(self, example: Example) -> Leak | None:
        if example.source in self.sources:
            return "same document", self.sources[example.source], None
        if not self.passages:
            return None
        text = [normalised(example.context), *grams(f"{example.answer} {example.context}", GRAM)]
        found = next((self.passages[gram] for gram in text if gram in self.passages), None)
        return ("passage", found, None) if found is not None else None
