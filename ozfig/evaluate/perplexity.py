"""How likely the right text is: perplexity of reference answers and of running text.

A running text is cut into windows. Two definitions are in use, and their figures cannot be held against each other:
stride   Windows of `context` tokens move on by `stride`; each token is scored once, in the first window that
         reaches it, so that nearly all have at least `context - stride` tokens before them.
llama    llama.cpp's perplexity tool: windows of `context` tokens that do not overlap, each begun by the start
         marker in place of its first token; only the tokens after the first half and one are scored, a rest that
         fills no window is left out. Its "+/-" takes every token for an independent trial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ozfig.evaluate.statistics import ratio_and_stderr
from ozfig.types import Row

LLAMA_CONTEXT = 512  # the tool's own


@dataclass(frozen=True)
class Window(Row):
    """What one window showed: summed losses in nats, their squares, and how many tokens and bytes were scored."""

    nats: float
    squares: float
    tokens: int
    bytes: int


class Span(NamedTuple):
    """The tokens of a window: read from `begin` to `end`, scored from `first` on."""

    begin: int
    first: int
    end: int


class Text(NamedTuple):
    """A text's token ids, the bytes of the text up to the end of each, and the start marker, if ids begin with it."""

    ids: list[int]
    ends: list[int]
    start: int | None


def answer_perplexity(nats: Sequence[float], tokens: Sequence[float]) -> tuple[float, float]:
    """Perplexity of a set of answers and its standard error, from each answer's summed loss and length.

    exp of the loss a token over all answers, so that a long answer counts for more than a short one. The
    answers are the independent units: the error of the ratio, then d exp(x) = exp(x) dx.
    """
    loss, stderr = ratio_and_stderr(nats, tokens)
    return math.exp(loss), math.exp(loss) * stderr


def perplexity(
    model: Any, tokenizer: Any, text: str, context: int | None = None, stride: int | None = None
) -> tuple[float, float]:
    """Perplexity of a running text by stride, and its standard error.

    Windows have `context` tokens (the model's own limit by default) and move on by `stride` (half of it). The first
    token of all has nothing before it and is not scored, nor is the first of each window when windows do not
    overlap. For the error, the token losses are cut into about sqrt(n) runs, whose means are taken as
    independent (batch means).

    Raises ValueError when the text has fewer than five tokens or the windows would leave gaps.
    """
    context = context or int(getattr(model.config, "max_position_embeddings", 0) or 1024)
    losses = token_losses(model, tokenizer(text)["input_ids"], context, stride or max(1, context // 2))
    if len(losses) < 4:
        raise ValueError("the text is too short to be scored: fewer than five tokens")
    size = math.isqrt(len(losses))
    runs = [losses[i : i + size] for i in range(0, len(losses), size)]
    return answer_perplexity([math.fsum(run) for run in runs], [len(run) for run in runs])


def llama_perplexity(model: Any, tokenizer: Any, text: str, context: int = LLAMA_CONTEXT) -> tuple[float, float]:
    """What llama.cpp's perplexity tool prints for a text: the value and its "+/-".

    Raises ValueError when the text does not fill two windows.
    """
    read = read_text(tokenizer, text)
    return llama_estimate([score(model, read, span) for span in llama_spans(len(read.ids), context)])


def llama_estimate(windows: Sequence[Window]) -> tuple[float, float]:
    """Perplexity and "+/-" of windows: the error of the mean token loss, times the perplexity."""
    count = sum(w.tokens for w in windows)
    mean = math.fsum(w.nats for w in windows) / count
    variance = max(0.0, math.fsum(w.squares for w in windows) / count - mean * mean)
    return math.exp(mean), math.exp(mean) * math.sqrt(variance / (count - 1))


def bits_per_byte(windows: Sequence[Window]) -> tuple[float, float]:
    """The scored tokens' loss in bits over the bytes of their text, and its error with windows as units.

    Gao et al. 2020 (the Pile), section 3.1: it can be compared across tokenizers.
    """
    value, stderr = ratio_and_stderr([w.nats for w in windows], [w.bytes for w in windows])
    return value / math.log(2), stderr / math.log(2)


def read_text(tokenizer: Any, text: str, limit: int | None = None) -> Text:
    """The first `limit` tokens of a text. The tokenizer has to know where each token stands, as all fast ones do."""
    read = tokenizer(text, return_offsets_mapping=True, verbose=False)
    ids, offsets = read["input_ids"][:limit], read["offset_mapping"][:limit]
    size = np.cumsum([0, *(len(character.encode("utf-8", "surrogatepass")) for character in text)]).tolist()
    ends = [0]
    for span, group in groupby(offsets):
        # the bytes of one character may be several tokens; a marker stands nowhere
        count, before = len(list(group)), ends[-1]
        ends += [before + (max(before, size[span[1]]) - before) * (i + 1) // count for i in range(count)]
    marked = bool(ids) and ids[0] == getattr(tokenizer, "bos_token_id", None)
    return Text(list(ids), ends[1:], ids[0] if marked else None)


def stride_spans(count: int, context: int, stride: int) -> list[Span]:
    """The windows over `count` tokens by stride. Raises ValueError when they would leave gaps."""
    if not 0 < stride <= context or context < 2:
        raise ValueError(f"a stride of {stride} tokens does not fit windows of {context}")
    spans, reached = [], 0
    for begin in range(0, count, stride):
        end = min(begin + context, count)
        if end > max(reached, begin + 1):
            spans.append(Span(begin, max(reached, begin + 1), end))
        reached = end
        if end == count:
            break
    return spans


def llama_spans(count: int, context: int) -> list[Span]:
    """llama.cpp's windows over `count` tokens. Raises ValueError when they fill fewer than two."""
    if count < 2 * context:
        raise ValueError(f"the text has {count} tokens, and windows of {context} need at least {2 * context}")
    begins = range(0, count // context * context, context)
    return [Span(begin, begin + context // 2 + 1, begin + context) for begin in begins]


def score(model: Any, text: Text, span: Span) -> Window:
    """The figures of one window; where the text begins with the start marker, so does the window."""
    ids = text.ids[span.begin : span.end]
    if text.start is not None:
        ids[0] = text.start
    losses = np.asarray(window_losses(model, ids, span.first - span.begin))
    size = text.ends[span.end - 1] - text.ends[span.first - 1]
    return Window(round(losses.sum(), 4), round((losses**2).sum(), 4), len(losses), int(size))


def token_losses(model: Any, ids: Sequence[int], context: int, stride: int) -> list[float]:
    """The loss in nats of each scored token of a sequence by stride, in order."""
    spans = stride_spans(len(ids), context, stride)
    return [loss for s in spans for loss in window_losses(model, ids[s.begin : s.end], s.first - s.begin)]


def window_losses(model: Any, ids: Sequence[int], first: int) -> list[float]:
    """The loss in nats of each token from `first` on, given those before it in the window."""
    import torch

    window = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        logits = model(window).logits[0, first - 1 : -1].float()
    losses: list[float] = torch.nn.functional.cross_entropy(logits, window[0, first:], reduction="none").tolist()
    return losses
