"""What is trained in which order, and how big a step is: resolved once, before training starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.recipe.steps import auto_batch_tokens
from ozfig.tune import tokens


@dataclass(frozen=True)
class Plan:
    """What is trained in which order: `order` lists indices of `sequences`, `per_step` of them make a step.

    A sequence is a micro-batch: the rows that go through the model at once.
    """

    sequences: list[list[tokens.Row]]
    order: list[int]
    per_step: int
    batch_tokens: int
    packing: bool

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return math.ceil(len(self.order) / self.per_step)

    @property
    def tokens_at(self) -> list[int]:
        """Tokens trained on after 0, 1, 2 ... steps."""
        found = [sum(len(row.ids) for row in sequence if row.trained) for sequence in self.sequences]
        sizes = np.array(found)[self.order]
        return [int(sizes[: step * self.per_step].sum()) for step in range(self.steps + 1)]


def make_plan(rows: Sequence[tokens.Row], section: Tune, seed: int, micro: int, isolates: Callable[[], bool]) -> Plan:
    """Resolve packing and batch size and draw the order.

    `micro` is how many tokens go through the model at once, unless a row is longer. `isolates` says whether
    the model keeps packed rows apart. Raises UserError when packing is demanded of a model that does not.
    """
    draw = np.random.default_rng(seed)
    wanted = max(1, round(len(rows) * section.epochs))
    order = [int(i) for _ in range(math.ceil(section.epochs)) for i in draw.permutation(len(rows))][:wanted]
    total = sum(len(rows[i].ids) for i in order)
    packing = section.packing is not False and isolates()
    if section.packing is True and not packing:
        raise UserError("tune.packing: this base lets packed rows see each other; set tune.packing=false")
    batch_tokens = auto_batch_tokens(total) if section.batch_tokens == "auto" else section.batch_tokens
    if not packing:
        per_step = max(1, round(batch_tokens * len(order) / total))
        return Plan([[rows[i]] for i in order], list(range(len(order))), per_step, batch_tokens, packing)
    steps = _steps([rows[i] for i in order], max(1, round(total / batch_tokens)))
    per_step = min(math.ceil(total / len(steps) / micro), *(len(step) for step in steps), len(rows))
    sequences = [sequence for step in steps for sequence in _balanced(step, per_step)]
    return Plan(sequences, list(range(len(sequences))), per_step, batch_tokens, packing)


def _steps(rows: Sequence[tokens.Row], n: int) -> list[list[tokens.Row]]:
    """Rows in their order as at most `n` steps of about as many tokens; none is empty."""
    ends = np.cumsum([len(row.ids) for row in rows])
    starts = ends - [len(row.ids) for row in rows]
    number = starts * n // ends[-1]
    return [[rows[int(i)] for i in np.flatnonzero(number == s)] for s in np.unique(number)]


def _balanced(rows: Sequence[tokens.Row], n: int) -> list[list[tokens.Row]]:
    """`n` micro-batches of about as many tokens: each row, longest first, goes where the fewest are."""
    filled: list[list[tokens.Row]] = [[] for _ in range(n)]
    sizes = [0] * n
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        least = sizes.index(min(sizes))
        filled[least].append(row)
        sizes[least] += len(row.ids)
    return filled


def at_once(rows: Sequence[tokens.Row], micro: int) -> list[list[tokens.Row]]:
    """Rows that are only measured on, in micro-batches of about `micro` tokens, or each alone where that is 0."""
    if not micro or not rows:
        return [[row] for row in rows]
    return _balanced(rows, min(len(rows), math.ceil(sum(len(row.ids) for row in rows) / micro)))


def batch(sequences: Sequence[list[tokens.Row]], bounds: bool = False) -> dict[str, Any]:
    """The model's input for one sequence of rows: ids, positions and labels of shape (1, tokens).

    Logits are asked for only where a loss follows. `bounds` adds what row-by-row attention needs.
    """
    (rows,) = sequences
    labels = torch.tensor([[label for row in rows for label in row.labels]])
    ends = [0, *accumulate(len(row.ids) for row in rows)]
    return {
        "input_ids": torch.tensor([[i for row in rows for i in row.ids]]),
        "position_ids": torch.tensor([[p for row in rows for p in range(len(row.ids))]]),
        "labels": labels,
        "logits_to_keep": (labels[0, 1:] != tokens.IGNORED).nonzero().squeeze(1),
        "use_cache": False,
        **({"cu_seq_lens_q": torch.tensor(ends)} if bounds else {}),
    }
