"""Encoders that mark the answer in the passage: a row is a window with the places where the answer starts and ends.

A window without the answer, and a question that its passage does not answer (an empty answer), have both places on
the first token, as in SQuAD 2 (Rajpurkar et al. 2018; Devlin et al. 2018).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ozfig import console
from ozfig.engines.span import inputs
from ozfig.engines.windows import LONGEST, windows
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import tokens
from ozfig.types import Example

SMALLEST = 32  # tokens of a window
NO_PASSAGE, NOT_IN_PASSAGE = "rows_without_passage", "rows_answer_not_in_passage"


@dataclass(frozen=True)
class Marked(tokens.Row):
    """A window: `labels` are the first and the last token of the answer, `kinds` the tokens' segments."""

    kinds: list[int]


def encode_all(
    examples: Sequence[Example], tokenizer: Any, section: Tune, system: str, context_length: int
) -> tokens.TokenSet:
    """The windows of every example whose answer stands in its passage, word for word; the others are counted.

    Raises UserError when `max_length` is beyond the model or too small for a window, or when no row is left.
    """
    limit = tokens.limit_of(section, min(context_length, tokenizer.model_max_length))
    size = min(limit, LONGEST) if section.max_length == "auto" else limit
    if size < SMALLEST:
        raise UserError(f"tune.max_length: {size}: a question and its passage need {SMALLEST} at least")
    sides: dict[bool, list[tokens.Row]] = {False: [], True: []}
    left_out = Counter({NO_PASSAGE: 0, NOT_IN_PASSAGE: 0})
    with console.bar("tokens", total=len(examples), unit="examples") as bar:
        for example in examples:
            place = _place(example)
            if isinstance(place, str):
                left_out[place] += 1
            else:
                sides[tokens.is_validation(example, section)] += encode(tokenizer, example, place, size)
            bar.advance()
    rows, validation = sides.values()
    if not rows:
        raise UserError(
            f"no answer can be marked: of {len(examples)} training examples {left_out[NO_PASSAGE]} have no passage "
            f"and in {left_out[NOT_IN_PASSAGE]} it does not hold the answer; use a causal or seq2seq base"
        )
    return tokens.TokenSet(rows, size, 0, 0, sum(left_out.values()), validation, left_out=dict(left_out))


def _place(example: Example) -> tuple[int, int] | str | None:
    """The answer's characters in the stripped passage, None for no answer, or why the example cannot be used."""
    passage, answer = example.context.strip(), example.answer.strip()
    if not passage:
        return NO_PASSAGE
    if not answer:
        return None
    at = passage.find(answer)
    return (at, at + len(answer)) if at >= 0 else NOT_IN_PASSAGE


def encode(tokenizer: Any, example: Example, place: tuple[int, int] | None, size: int) -> list[tokens.Row]:
    """The windows of one example; `place` bounds the answer's characters in its passage."""
    rows: list[tokens.Row] = []
    for window in windows(tokenizer, example.question, example.context.strip(), size):
        held = window.span(*place) if place else None
        rows.append(Marked(window.ids, list(held or (0, 0)), window.kinds))
    return rows


def show(rows: Sequence[tokens.Row], tokenizer: Any, n: int = 6) -> list[list[tuple[str, bool]]]:
    """`n` windows spread over the data, with the marked answer as the part that is trained."""
    shown = []
    for row in rows[:: max(1, len(rows) // n)][:n]:
        first, last = row.labels
        parts = (row.ids[:first], row.ids[first : last + 1], row.ids[last + 1 :])
        runs = [(tokenizer.decode(ids), trained) for ids, trained in zip(parts, (False, True, False), strict=True)]
        shown.append([run for run in runs if run[0]])
    return shown


def batches_of(model: Any, tokenizer: Any) -> Any:
    """How windows become the model's input: ids, mask and segments (rows, tokens), labels (rows, 2)."""

    def batch(sequences: Sequence[list[Marked]]) -> dict[str, Any]:
        (rows,) = sequences
        given = inputs(model.config, tokenizer, [(row.ids, row.kinds) for row in rows])
        return {**given, "labels": torch.tensor([row.labels for row in rows])}

    return batch


def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """Cross-entropy in nats over a window's tokens of the answer's start and end, the mean of the whole step's."""
    starts, ends = (logits.float() for logits in (outputs.start_logits, outputs.end_logits))
    total = cross_entropy(starts, labels[:, 0], reduction="sum") + cross_entropy(ends, labels[:, 1], reduction="sum")
    return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)
