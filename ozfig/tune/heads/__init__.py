"""The heads besides causal: what a row is for each, and how rows become a batch and a loss.

Rows of causal models are packed (see plan); those of the others are read by an encoder, which sees a row as a
whole, so they are batched with rows of about their length and padded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch

from ozfig.recipe import Tune
from ozfig.tune import tokens
from ozfig.tune.plan import Plan
from ozfig.types import Example

Batch = Callable[[Sequence[list[tokens.Row]]], dict[str, Any]]


class Head(Protocol):
    """What tells one head from another: the modules of this folder, and `tokens` for causal models."""

    def encode_all(
        self, examples: Sequence[Example], tokenizer: Any, section: Tune, system: str, context_length: int
    ) -> tokens.TokenSet:
        """The rows of a data set. Raises UserError when none is left."""

    def show(self, rows: Sequence[tokens.Row], tokenizer: Any, n: int = 6) -> list[list[tuple[str, bool]]]:
        """A few rows as runs of (text, trained)."""


@dataclass(frozen=True)
class Padded:
    """Training over batches of whole rows: `loss(outputs, labels, labels of the step)` is a mean over labels."""

    plan: Plan
    batch: Batch
    loss: Callable[..., torch.Tensor]
    group: Callable[[Sequence[tokens.Row]], list[list[tokens.Row]]]


def find(head: str) -> Head:
    """How rows are made for a head; causal for `auto`."""
    from ozfig.tune.heads import seq2seq, span

    return {"seq2seq": seq2seq, "span": span}.get(head, tokens)


def padded(model: Any, tokenizer: Any, rows: Sequence[tokens.Row], section: Tune, seed: int) -> Padded | None:
    """How a model with another head is trained; None for a causal one. Raises UserError when packing is demanded."""
    from ozfig.tune.heads import batches, seq2seq, span

    if section.head not in {"seq2seq", "span"}:
        return None
    own = seq2seq if section.head == "seq2seq" else span
    capacity = batches.capacity(section)
    plan = batches.make_plan(rows, section, seed)
    return Padded(plan, own.batches_of(model, tokenizer), own.loss, partial(batches.by_length, capacity=capacity))
