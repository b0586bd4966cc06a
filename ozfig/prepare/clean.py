"""Cleaning filters that compare pairs with each other, and the one for their length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ozfig.prepare import Context, Verdict, duplicates
from ozfig.prepare.envelopes import unwrapped
from ozfig.prepare.words import normalised
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
    """Of rows alike in words keep the first; other numbers mean another fact (see `near_duplicates`).

    So do the cells of one page's tables, whose questions and answers are worded alike because a rule wrote them.
    """
    for group in duplicates.near_duplicates((_part(row, section.on) for row in rows), section.threshold):
        leader = rows[group[0]]
        known = duplicates.shingles(_part(leader, section.on))
        for i in group[1:]:
            if rows[i].maker == leader.maker == TABLE and rows[i].source == leader.source:
                continue
            score = duplicates.jaccard(duplicates.shingles(_part(rows[i], section.on)), known)
            yield Verdict(i, "near duplicate", "drop", leader.question, round(score, 3))


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
