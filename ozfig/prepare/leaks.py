"""Training examples that repeat or re-word a held-out question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ozfig.prepare.duplicates import NUMBER, WORD, normalised
from ozfig.types import Dropped, Example

GRAM = 8
STOCK = 4  # a run of words in more training questions than this is a turn of phrase, not a leak
STOP_WORDS = frozenset(
    "a about an and any are as at be been being by can could did do does for from get give had has have how i if in is "
    "it its know may me much my of on or our should so tell than that the their them then there these they this those "
    "to was we were what when where which who whom why will with would you your".split()
)


def find_leaks(
    examples: Sequence[Example], held_out: Sequence[Example], threshold: float, unit: str
) -> tuple[list[Example], list[Dropped]]:
    """Part training examples from leaks.

    A leak has a held-out question's words (exact), at least `threshold` of the content words of both
    (reworded, Jaccard) or eight words in a row of it that are no stock phrase (ngram); another number
    makes it another question. With unit "document" eight words in a row of
    a held-out passage in an answer or passage are a leak too, and so is the same source or passage.
    """
    stock = Counter(gram for example in examples for gram in set(_grams(example.question)))
    index = _Index(held_out, unit, {gram for gram, count in stock.items() if count > STOCK})
    kept, dropped = [], []
    for example in examples:
        found = index.look(example, threshold)
        if found:
            dropped.append(Dropped(example, f"leak: {found[0]}", found[1], found[2]))
        else:
            kept.append(example)
    return kept, dropped


class _Index:
    """Held-out questions by whole text, by content word and by run of eight words."""

    def __init__(self, held_out: Sequence[Example], unit: str, stock: set[str]) -> None:
        self.questions = [item.question for item in held_out]
        self.contents = [content_words(question) for question in self.questions]
        self.exact = {normalised(question): i for i, question in enumerate(self.questions)}
        self.by_word: dict[str, list[int]] = defaultdict(list)
        for i, words in enumerate(self.contents):
            for word in words:
                self.by_word[word].append(i)
        self.numbers = [sorted(NUMBER.findall(question)) for question in self.questions]
        self.grams = {gram: i for i, question in enumerate(self.questions) for gram in _grams(question) if gram not in stock}
        self.sources: dict[str, int] = {}
        self.passages: dict[str, int] = {}
        if unit == "document":
            self.sources = {item.source: i for i, item in enumerate(held_out) if item.source}
            self.passages = {gram: i for i, item in enumerate(held_out) for gram in _grams(item.context)}

    def look(self, example: Example, threshold: float) -> tuple[str, str, float | None] | None:
        """Kind of leak, the question that leaked and the similarity; None for a clean example."""
        question = example.question
        same = self.exact.get(normalised(question))
        if same is not None:
            return "exact", self.questions[same], 1.0
        numbers = sorted(NUMBER.findall(question))
        near = self._nearest(content_words(question), numbers)
        if near and near[1] >= threshold:
            return "reworded", self.questions[near[0]], round(near[1], 3)
        shared = next((self.grams[gram] for gram in _grams(question) if gram in self.grams), None)
        if shared is not None and self.numbers[shared] == numbers:
            return "ngram", self.questions[shared], None
        return self._document(example)

    def _document(self, example: Example) -> tuple[str, str, float | None] | None:
        if example.source in self.sources:
            return "same document", self.questions[self.sources[example.source]], None
        if self.passages:
            for gram in _grams(f"{example.answer} {example.context}"):
                if gram in self.passages:
                    return "passage", self.questions[self.passages[gram]], None
        return None

    def _nearest(self, words: frozenset[str], numbers: list[str]) -> tuple[int, float] | None:
        """The held-out question of the same numbers with the most content words in common, and its Jaccard similarity."""
        shared: dict[int, int] = defaultdict(int)
        for word in words:
            for i in self.by_word.get(word, ()):
                shared[i] += 1
        scored = ((n / len(words | self.contents[i]), -i) for i, n in shared.items() if self.numbers[i] == numbers)
        best = max(scored, default=None)
        return (-best[1], best[0]) if best else None


def content_words(text: str) -> frozenset[str]:
    """The words of a question that say what it is about."""
    words = frozenset(WORD.findall(text.lower()))
    return words - STOP_WORDS or words


def _grams(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)]
