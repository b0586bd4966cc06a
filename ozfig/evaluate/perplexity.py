"""How likely the right text is: perplexity of reference answers and of running text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ozfig.evaluate.statistics import ratio_and_stderr


def answer_perplexity(nats: Sequence[float], tokens: Sequence[int]) -> tuple[float, float]:
    """Perplexity of a set of answers and its standard error, from each answer's summed loss and length.

    exp of the loss a token over all answers, so that a long answer counts for more than a short one. The
    answers are the independent units: the error of the ratio, then d exp(x) = exp(x) dx.
    """
    loss, stderr = ratio_and_stderr(nats, tokens)
    return math.exp(loss), math.exp(loss) * stderr


def perplexity(
    model: Any, tokenizer: Any, text: str, context: int | None = None, stride: int | None = None
) -> tuple[float, float]:
    """Perplexity of a running text and its standard error, by a sliding window.

    Windows of `context` tokens (the model's own limit by default) move on by `stride` (half of it); each
    token is scored once, in the first window that reaches it. The first token of all has nothing before it
    and is not scored, nor is the first of each window when windows do not overlap. For the error, the
    token losses are cut into about sqrt(n) runs, whose means are taken as independent (batch means).

    Raises ValueError when the text has fewer than five tokens or the windows would leave gaps.
    """
    context = context or int(getattr(model.config, "max_position_embeddings", 0) or 1024)
    stride = stride or max(1, context // 2)
    if not 0 < stride <= context or context < 2:
        raise ValueError(f"a stride of {stride} tokens does not fit windows of {context}")
    losses = token_losses(model, tokenizer(text)["input_ids"], context, stride)
    if len(losses) < 4:
        raise ValueError("the text is too short to be scored: fewer than five tokens")
    size = math.isqrt(len(losses))
    runs = [losses[i : i + size] for i in range(0, len(losses), size)]
    return answer_perplexity([math.fsum(run) for run in runs], [len(run) for run in runs])


def token_losses(model: Any, ids: Sequence[int], context: int, stride: int) -> list[float]:
    """The loss in nats of each scored token of a sequence, in order."""
    import torch

    found: list[float] = []
    reached = 0
    for begin in range(0, len(ids), stride):
        end = min(begin + context, len(ids))
        window = torch.tensor([ids[begin:end]], device=model.device)
        first = max(reached, begin + 1) - begin
        with torch.inference_mode():
            logits = model(window).logits[0, first - 1 : -1].float()
        found += torch.nn.functional.cross_entropy(logits, window[0, first:], reduction="none").tolist()
        reached = end
        if end == len(ids):
            break
    return found
