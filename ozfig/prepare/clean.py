"""Cleaning filters. Each takes examples and gives back those to keep and those to drop, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig.prepare import duplicates
from ozfig.prepare.words import normalised
from ozfig.recipe import Filter
from ozfig.types import Dropped, Example

Sorted = tuple[list[Example], list[Dropped]]


def exact(examples: Sequence[Example], section: Filter) -> Sorted:
    """Drop an example whose conversation, but for signs and case, has been seen with the same passage."""
    first: dict[tuple[str, str], Example] = {}
    kept, dropped = [], []
    for example in examples:
        words = tuple(normalised(m.content) for m in example.messages)
        known = first.setdefault((" | ".join(words), normalised(example.context)), example)
        if known is example:
            kept.append(example)
        else:
            dropped.append(Dropped(example, "exact duplicate", known.question))
    return kept, dropped


def near(examples: Sequence[Example], section: Filter) -> Sorted:
    """Of examples alike in words (question and answer together) keep the first; other numbers mean another fact."""
    texts = [f"{example.question}\n{example.answer}" for example in examples]
    twins = {i: group[0] for group in duplicates.near_duplicates(texts, section.threshold) for i in group[1:]}
    kept = [example for i, example in enumerate(examples) if i not in twins]
    dropped = []
    for i, leader in twins.items():
        score = duplicates.jaccard(duplicates.shingles(texts[i]), duplicates.shingles(texts[leader]))
        dropped.append(Dropped(examples[i], "near duplicate", examples[leader].question, round(score, 3)))
    return kept, dropped


def length(examples: Sequence[Example], section: Filter) -> Sorted:
    """Drop answers that are too short or too long to learn from."""
    kept, dropped = [], []
    for example in examples:
        words = len(example.answer.split())
        if words < section.min_words or not example.question.strip():
            dropped.append(Dropped(example, "answer too short"))
        elif words > section.max_words:
            dropped.append(Dropped(example, "answer too long"))
        else:
            kept.append(example)
    return kept, dropped
