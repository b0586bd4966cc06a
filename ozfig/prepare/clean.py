"""Cleaning filters that compare pairs with each other, and the one for their length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ozfig.overlap.words import normalised
from ozfig.prepare import Context, Verdict, duplicates
from ozfig.prepare.envelopes import unwrapped
from ozfig.recipe import ExactFilter, LengthFilter, NearFilter
from ozfig.recipe.clean import Part
from ozfig.types import Example

TABLE = "table"  # what made a pair of a table's cell


def exact(rows: Sequence[Example], section: ExactFilter, context: Context) -> Iterator[Verdict]:
    """Drop a row whose conversation (or question, or answer), signs and case aside, came with the same passage."""
    first: dict[bytes, int] = {}
    for i, row in enumerate(rows):
        compared = [m.content for m in row.messages] if section.on == "both" else [_part(row, section.on)]
        joined = "\n".join(map(normalised, (*compared, row.context)))
        known = first.setdefault(hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=16).digest(), i)
        if known != i:
            yield Verdict(i, "exact duplicate", "drop", rows[known].question)


def near(rows: Sequence[Example], section: NearFilter, context: Context) -> Iterator[Verdict]:
    """Drop a row that is alike in words to one that is kept; other numbers mean another fact (see `near_duplicates`).

    So do the cells of one page's tables, whose questions and answers are worded alike because a rule wrote them.
    A group hangs together pair by pair, so its ends may have little in common: each row is compared with those kept.
    The one with the shortest question comes first, since it has no envelope.
    """
    for group in duplicates.near_duplicates((_part(row, section.on) for row in rows), section.threshold):
        kept: list[tuple[Example, frozenset[str]]] = []
        for row, i in sorted(((rows[i], i) for i in group), key=lambda found: (len(found[0].question), found[1])):
            own = duplicates.shingles(" ".join(unwrapped(_part(row, section.on))))
            alike = [(duplicates.jaccard(own, known), other) for other, known in kept if not _same_tables(row, other)]
            score, nearest = max(alike, key=lambda pair: pair[0], default=(0.0, row))
            if score >= section.threshold:
                yield Verdict(i, "near duplicate", "drop", nearest.question, round(score, 3))
            else:
                kept.append((row, own))


def _same_tables(a: Example, b: Example) -> bool:
    """Whether both rows are cells of one page's tables."""
    return a.maker == b.maker == TABLE and a.source == b.source


def _part(row: Example, part: Part) -> str:
    """What is compared of a row: a question is taken out of its envelope."""
    if part == "answer":
        return row.answer
    question = " ".join(unwrapped(row.question))
    return question if part == "question" else f"{question}\n{row.answer}"


def length(rows: Sequence[Example], section: LengthFilter, context: Context) -> Iterator[Verdict]:
    """Drop rows whose question or answer is too short or too long to learn from."""
    for i, row in enumerate(rows):
        asked, answered = len(row.question.split()), len(row.answer.split())
        if not asked:
            yield Verdict(i, "question empty")
        elif asked > section.max_question_words:
            yield Verdict(i, "question too long")
        elif answered < section.min_words:
            yield Verdict(i, "answer too short")
        elif answered > section.max_words:
            yield Verdict(i, "answer too long")
