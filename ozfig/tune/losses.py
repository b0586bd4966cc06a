"""The loss without the logits: each chunk's gradient is taken while its logits are at hand.

The logits of a step over a vocabulary of 150,000 are gigabytes that training reads once. Here the output layer
is a pass-through while the model runs, and a function over its input multiplies, scores and differentiates a
chunk at a time (as in Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary Language Models").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ozfig.tune.tokens import IGNORED

CHUNK_BYTES = 16 << 20  # float32 logits at once; more leaves the processor's caches


class _LinearCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy in nats of `hidden @ weight.T + bias` against `targets`."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: Any, targets: torch.Tensor) -> torch.Tensor:
        dtype = weight.dtype
        total = hidden.new_zeros((), dtype=torch.float32)
        needs_hidden, needs_weight, needs_bias, _ = ctx.needs_input_grad
        for_hidden = torch.empty_like(hidden) if needs_hidden else None
        for_weight = torch.zeros_like(weight, dtype=torch.float32) if needs_weight else None
        for_bias = torch.zeros_like(bias, dtype=torch.float32) if needs_bias else None
        weight = weight.to(hidden.dtype)
        size = max(16, CHUNK_BYTES // (4 * len(weight)))
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            logits = nn.functional.linear(hidden[part], weight, bias)
            wanted = targets[part, None]
            shares = torch.softmax(logits, -1, dtype=torch.float32)
            # -log p of the target by way of the likeliest token, whose p is never too small for its logarithm
            gap = logits.amax(-1).float() - logits.gather(1, wanted)[:, 0].float()
            total += (gap - shares.amax(-1).log()).sum()
            shares.scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=torch.float32))
            slope = shares.to(hidden.dtype)
            if for_hidden is not None:
                torch.mm(slope, weight, out=for_hidden[part])
            if for_weight is not None:
                for_weight += slope.t() @ hidden[part]
            if for_bias is not None:
                for_bias += shares.sum(0)
        ctx.save_for_backward(for_hidden, for_weight, for_bias)
        ctx.dtype = dtype
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return (*(None if g is None else (g * gradient).to(ctx.dtype) for g in ctx.saved_tensors), None)


def kept_positions(labels: torch.Tensor, length: int) -> tuple[torch.Tensor | slice, torch.Tensor]:
    """Which of `length` outputs have a loss, and their targets; a model that knows `logits_to_keep` gives no others."""
    kept = labels[0, 1:] != IGNORED
    targets = labels[0, 1:][kept]
    return (slice(None) if length == len(targets) else kept.nonzero()[:, 0]), targets


class Loss:
    """Cross-entropy in nats, summed over a sequence's labels and divided by the labels of the whole step.

    `head` is the output layer where it is passed through (see `pass_through`), else None: outputs are logits.
    """

    def __init__(self, head: nn.Linear | None, dtype: torch.dtype | None) -> None:
        self.head, self.dtype = head, dtype

    def __call__(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """The loss of one sequence, `labels` of shape (1, tokens)."""
        found = outputs.logits[0]
        kept, targets = kept_positions(labels, len(found))
        found = found[kept]
        if self.head is None:
            total = nn.functional.cross_entropy(found.float(), targets, reduction="sum")
        else:
            hidden = found.to(self.dtype or found.dtype)
            total = _LinearCrossEntropy.apply(hidden, self.head.weight, self.head.bias, targets)
        return total / (len(targets) if num_items_in_batch is None else num_items_in_batch)


def head_of(model: Any) -> nn.Linear | None:
    """The output layer, if the model's logits are that layer's product and no more, as a trial shows."""
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear:
        return None
    ids = torch.arange(10, 26, device=model.device)[None] % head.out_features
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits
        with pass_through(head):
            product = nn.functional.linear(model(input_ids=ids, use_cache=False).logits, head.weight, head.bias)
    model.train(was_training)
    gap = float((logits.float() - product.float()).abs().max())
    return head if gap <= 0.02 * float(logits.float().abs().max()) else None


@contextmanager
def pass_through(head: nn.Linear | None) -> Iterator[None]:
    """Within the block the output layer gives what it is given."""
    if head is None:
        yield
        return
    head.forward = _same  # type: ignore[method-assign]
    try:
        yield
    finally:
        del head.forward


def _same(hidden: torch.Tensor) -> torch.Tensor:
    return hidden
