"""Rows in batches of about equal length, padded instead of packed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.recipe.steps import auto_batch_tokens
from ozfig.tune import tokens
from ozfig.tune.plan import Plan

AT_ONCE = 4096  # tokens of one pass where the machine is not asked, padding included; a step may take several


def make_plan(rows: Sequence[tokens.Row], section: Tune, seed: int) -> Plan:
    """Batch rows by length and draw the order of the batches. Raises UserError when packing is demanded."""
    if section.packing is True:
        raise UserError(f"tune.packing: rows of a {section.head} model are padded, never packed; set auto or false")
    draw = np.random.default_rng(seed)
    rows = [rows[i] for i in draw.permutation(len(rows))]
    total = sum(row.longest for row in rows) * section.epochs
    batch_tokens = auto_batch_tokens(total) if section.batch_tokens == "auto" else section.batch_tokens
    sequences = by_length(rows, min(batch_tokens, capacity(section)))
    per_step = max(1, round(batch_tokens * len(sequences) * section.epochs / total))
    wanted = max(1, round(len(sequences) * section.epochs))
    order = [int(i) for _ in range(math.ceil(section.epochs)) for i in draw.permutation(len(sequences))][:wanted]
    return Plan(sequences, order, per_step, batch_tokens, packing=False)


def capacity(section: Tune) -> int:
    """Tokens of one pass."""
    return AT_ONCE if section.micro_batch_tokens == "auto" else section.micro_batch_tokens


def by_length(rows: Sequence[tokens.Row], capacity: int) -> list[list[tokens.Row]]:
    """Rows, the longest first, in batches of at most `capacity` tokens with the padding, or of one row."""
    found: list[list[tokens.Row]] = []
    for row in sorted(rows, key=lambda row: -row.longest):
        if not found or (len(found[-1]) + 1) * found[-1][0].longest > capacity:
            found.append([])
        found[-1].append(row)
    return found
