"""How likely continuations are, with every beginning that they share computed once.

The requests' tokens form a prefix tree: the choices of a question share its context, questions share their
examples. Rows of such trees go through the model: each token sees its ancestors alone (the mask) and stands
at its depth (the position), so its logits are those of its own sequence; they are made only where something
is asked. Models that do not take such a mask score one sequence at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from ozfig.engines.loading import common_prefix
from ozfig.errors import UserError

# tokens of a row: dense attention over a row costs its square, on a GPU small rows cost their start
CAPACITY = {"cpu": 256, "cuda": 2048, "mps": 1024}
STRETCH = 8  # a row grows to this many capacities where more is shared than added
PROBE = 8  # tokens of the stem and of each branch of a probe
Pair = tuple[Sequence[int], Sequence[int]]


class Likelihood(NamedTuple):
    """Summed log-probability of a continuation in nats, and whether greedy decoding would have written it."""

    logprob: float
    greedy: bool


@dataclass
class Tree:
    """A row: tokens with the sequences that end in them.

    `paths` holds each sequence's tokens by their places in the row, root first; `asked` the request's number,
    the places whose logits score it and the tokens that they should give.
    """

    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    paths: list[tuple[int, list[int]]] = field(default_factory=list)
    asked: list[tuple[int, list[int], Sequence[int]]] = field(default_factory=list)

    def add(self, tokens: Sequence[int], shared: int, number: int, continuation: Sequence[int]) -> None:
        """Add a sequence whose first `shared` tokens are those of the last one added."""
        start, new = len(self.ids), list(tokens[shared:])
        path = [*(self.paths[-1][1][:shared] if self.paths else []), *range(start, start + len(new))]
        self.ids += new
        self.depths += range(shared, len(tokens))
        self.paths.append((shared, path))
        self.asked.append((number, path[-len(continuation) :], continuation))

    def mask(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """What each token sees: 0 for itself and its ancestors, the least number for the rest; (1, 1, n, n)."""
        seen = np.zeros((len(self.ids), len(self.ids)), dtype=bool)
        for shared, path in self.paths:
            if own := path[shared:]:
                first, last = own[0], own[-1] + 1
                seen[first:last, path[:shared]] = True
                seen[first:last, first:last] = np.tril(np.ones((len(own), len(own)), dtype=bool))
        hidden = torch.zeros(seen.shape, dtype=dtype, device=device)
        hidden.masked_fill_(torch.from_numpy(~seen).to(device), torch.finfo(dtype).min)
        return hidden[None, None]


@torch.inference_mode()
def loglikelihoods(
    model: Any, pairs: Sequence[Pair], limit: int, progress: Callable[[int], None] | None = None
) -> list[Likelihood]:
    """The likelihood of each continuation after its context, both token ids, neither empty.

    Where both are longer than the `limit` of the model's context, the context loses its start. `progress`
    receives the number of pairs just scored. Raises UserError for a continuation that does not fit alone.
    """
    for context, continuation in pairs:
        if len(continuation) > limit or not context or not continuation:
            raise UserError(f"a continuation of {len(continuation)} tokens cannot be scored by a context of {limit}")
    inputs = [[*context, *continuation][-limit - 1 : -1] for context, continuation in pairs]
    trees = takes_trees(model, max(map(len, inputs), default=0))
    capacity = CAPACITY.get(model.device.type, CAPACITY["cuda"]) if trees else 0
    found: list[Likelihood] = [Likelihood(0.0, False)] * len(pairs)
    for row in grow(inputs, [continuation for _, continuation in pairs], capacity):
        for number, value in _score(model, row, branched=trees):
            found[number] = value
        if progress:
            progress(len(row.asked))
    return found


def grow(inputs: Sequence[list[int]], continuations: Sequence[Sequence[int]], capacity: int) -> Iterator[Tree]:
    """Rows of about `capacity` tokens that hold every input; sorted, each shares the most with its neighbour.

    With a capacity of 0 only equal inputs share a row.
    """
    row = Tree()
    last: list[int] = []
    for number in sorted(range(len(inputs)), key=lambda i: inputs[i]):
        tokens = inputs[number]
        shared = common_prefix(last, tokens) if row.ids else 0
        new, size = len(tokens) - shared, len(row.ids)
        fits = size + new <= capacity or (new < shared and size + new <= STRETCH * capacity)
        if row.ids and not fits and tokens != last:
            yield row
            row, shared = Tree(), 0
        row.add(tokens, shared, number, continuations[number])
        last = tokens
    if row.ids:
        yield row


def _score(model: Any, row: Tree, branched: bool) -> Iterator[tuple[int, Likelihood]]:
    """The likelihood of every request of a row, under its number."""
    kept = sorted({place for _, places, _ in row.asked for place in places})
    at = {place: index for index, place in enumerate(kept)}
    logits = _logits(model, row, kept, branched)
    rows = torch.tensor([at[place] for _, places, _ in row.asked for place in places], device=logits.device)
    targets = torch.tensor([token for _, _, tokens in row.asked for token in tokens], device=logits.device)
    logprobs = (logits[rows, targets] - logits.logsumexp(-1)[rows]).double().cpu()
    greedy = (logits.argmax(-1)[rows] == targets).cpu()
    start = 0
    for number, places, _ in row.asked:
        end = start + len(places)
        yield number, Likelihood(float(logprobs[start:end].sum()), bool(greedy[start:end].all()))
        start = end


def _logits(model: Any, row: Tree, kept: Sequence[int], branched: bool) -> torch.Tensor:
    """Float32 logits of shape (kept, vocabulary) at places of a row."""
    inputs: dict[str, Any] = {"input_ids": torch.tensor([row.ids], device=model.device)}
    if branched:
        inputs["position_ids"] = torch.tensor([row.depths], device=model.device)
        inputs["attention_mask"] = row.mask(model.dtype, model.device)
    places = torch.tensor(kept, device=model.device)
    logits: torch.Tensor = model(**inputs, use_cache=False, logits_to_keep=places).logits[0]
    return logits.float()


@torch.inference_mode()
def takes_trees(model: Any, longest: int) -> bool:
    """Whether a model's attention takes a tree's mask and positions, for sequences of up to `longest` tokens.

    A window over the nearest tokens is a mask of its own, which ours would replace; other attentions show in a
    probe: two branches on one stem, against the second branch read alone.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    if window and longest > window:
        return False
    stem, branches = range(10, 10 + PROBE), (range(30, 30 + PROBE), range(50, 50 + PROBE))
    both, alone = Tree(), Tree()
    for number, branch in enumerate(branches):
        both.add([i % config.vocab_size for i in (*stem, *branch)], PROBE * number, number, [0])
    alone.add([i % config.vocab_size for i in (*stem, *branches[1])], 0, 0, [0])
    expected = _logits(model, alone, [2 * PROBE - 1], branched=False)
    try:
        found = _logits(model, both, [3 * PROBE - 1], branched=True)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False  # a model without position_ids, or whose masks have another shape
    # bf16 keeps 8 bits: sums in another order differ by a few of the last
    bound = 0.05 if model.dtype != torch.float32 else 1e-3
    return float((found - expected).abs().max()) <= bound * float(expected.abs().max())
