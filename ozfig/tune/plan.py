"""What is trained in which order, and how big a step is: resolved once, before training starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import tokens

STEPS = 200  # aim of batch_tokens: auto
PACKED_LENGTH = 512  # shorter sequences use the processor badly, in longer ones attention costs more
LEAST_PACKED = 40  # fewer sequences than this in the whole run are too few steps to learn in


@dataclass(frozen=True)
class Plan:
    """What is trained in which order: `order` lists indices of `sequences`, `per_step` of them make a step."""

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
        sizes = np.array([sum(len(row.ids) for row in sequence) for sequence in self.sequences])[self.order]
        return [int(sizes[: step * self.per_step].sum()) for step in range(self.steps + 1)]


def auto_batch_tokens(total: float) -> int:
    """The power of two that comes nearest to 200 steps over `total` tokens, from 64 to 65,536."""
    return 1 << round(min(max(math.log2(total / STEPS), 6), 16))


def make_plan(rows: Sequence[tokens.Row], section: Tune, seed: int, context: int, isolates: Callable[[], bool]) -> Plan:
    """Resolve packing and batch size and draw the order.

    `isolates` says whether the model keeps packed rows apart; it is asked only where that matters.
    Raises UserError when packing is demanded of a model that does not.
    """
    draw = np.random.default_rng(seed)
    rows = [rows[i] for i in draw.permutation(len(rows))]
    capacity = min(context, max(PACKED_LENGTH, max(len(row.ids) for row in rows)))
    total = sum(len(row.ids) for row in rows) * section.epochs
    packing = section.packing is not False and (section.packing is True or total >= LEAST_PACKED * capacity)
    if packing and not isolates():
        if section.packing is True:
            raise UserError("tune.packing: this base lets packed rows see each other; set tune.packing=false")
        packing = False
    sequences = tokens.pack(rows, capacity) if packing else [[row] for row in rows]
    least = capacity if packing else 0
    batch_tokens = max(auto_batch_tokens(total), least) if section.batch_tokens == "auto" else section.batch_tokens
    per_step = max(1, round(batch_tokens * len(sequences) * section.epochs / total))
    wanted = max(1, round(len(sequences) * section.epochs))
    order = [int(i) for _ in range(math.ceil(section.epochs)) for i in draw.permutation(len(sequences))][:wanted]
    return Plan(sequences, order, per_step, batch_tokens, packing)


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


def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """Cross-entropy in nats, summed over a sequence's labels and divided by the labels of the whole step."""
    kept = labels[0, 1:] != tokens.IGNORED
    targets, logits = labels[0, 1:][kept], outputs.logits[0]
    if len(logits) != len(targets):  # a model that does not know `logits_to_keep`
        logits = logits[:-1][kept]
    total = cross_entropy(logits.float(), targets, reduction="sum")
    return total / (len(targets) if num_items_in_batch is None else num_items_in_batch)
