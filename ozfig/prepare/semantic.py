"""Pairs alike in meaning, and questions that may re-word a held-out one: by the cosine of sentence embeddings.

The products are taken in blocks: all pairs at once, as Open-Platypus did it, would need 40 GB for 100,000 rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ozfig.overlap.words import content_words, numbers
from ozfig.prepare import Context, Verdict
from ozfig.prepare.duplicates import jaccard
from ozfig.recipe import SemanticFilter
from ozfig.retrieval.vectors import embedded
from ozfig.types import Example

BLOCK = 1024  # rows of one product
SAME_ANSWER = 0.8  # of the content words of both
DUPLICATE, ALIKE, PARAPHRASE = "alike in meaning", "perhaps alike in meaning", "perhaps a held-out question re-worded"


def semantic(rows: Sequence[Example], section: SemanticFilter, context: Context) -> Iterator[Verdict]:
    """Drop a row that an earlier one is alike to; between `review` and `threshold`, list it.

    Embeddings put "What does X cost?" next to "What does Y cost?". With `on: both` a row is dropped only where
    neither question has a word in the other's place and both are answered alike; the rest is listed, and so are
    rows with other numbers.
    """
    part = "answer" if section.on == "answer" else "question"
    texts = [row.answer if part == "answer" else row.question for row in rows]
    vectors = _vectors(texts, context.cache / f"semantic-{part}")
    leader: dict[int, int] = {}
    for i, j, cosine in _nearest_before(vectors, section.review):
        j = leader.get(j, j)
        if cosine >= section.threshold and _is_same_fact(rows[i], rows[j], section):
            leader[i] = j
            yield Verdict(i, DUPLICATE, neighbour=rows[j].question, score=round(cosine, 3))
        else:
            yield Verdict(i, ALIKE, "flag", rows[j].question, round(cosine, 3))


def paraphrases(
    rows: Sequence[Example], held_out: Sequence[Example], threshold: float, cache: Path
) -> Iterator[Verdict]:
    """List the rows whose question is near to a held-out one in meaning: a person has to say whether it is the same."""
    if not len(rows) or not held_out:
        return
    asked = _vectors([row.question for row in rows], cache / "semantic-question")
    kept = _vectors([item.question for item in held_out], cache / "held-out")
    for start in range(0, len(asked), BLOCK):
        products = asked[start : start + BLOCK] @ kept.T
        best = products.argmax(axis=1)
        for offset, item in enumerate(best):
            cosine = float(products[offset, item])
            if cosine >= threshold:
                yield Verdict(start + offset, PARAPHRASE, "flag", held_out[int(item)].question, round(cosine, 3))


def _vectors(texts: Sequence[str], cache: Path) -> np.ndarray:
    """Unit vectors in float32: products of shorter numbers are many times slower on a CPU."""
    vectors: np.ndarray = embedded(texts, cache).astype(np.float32)
    return vectors


def _is_same_fact(a: Example, b: Example, section: SemanticFilter) -> bool:
    """Whether two rows that are alike in meaning may stand for one another."""
    if numbers(f"{a.question} {a.answer}") != numbers(f"{b.question} {b.answer}"):
        return False
    if section.on != "both":
        return True
    one, other = content_words(a.question), content_words(b.question)
    same_answer = jaccard(content_words(a.answer), content_words(b.answer)) >= SAME_ANSWER
    return same_answer and (one <= other or other <= one)


def _nearest_before(vectors: np.ndarray, least: float) -> Iterator[tuple[int, int, float]]:
    """For each row that has one, the nearest earlier row with a cosine of at least `least`, and the cosine."""
    for start in range(0, len(vectors), BLOCK):
        end = min(start + BLOCK, len(vectors))
        products = vectors[start:end] @ vectors[:end].T
        # a row is compared with those before it
        products[np.arange(end)[None, :] >= np.arange(start, end)[:, None]] = -1
        best = products.argmax(axis=1)
        cosines = products[np.arange(end - start), best]
        for offset in np.flatnonzero(cosines >= least):
            yield start + int(offset), int(best[offset]), float(cosines[offset])
