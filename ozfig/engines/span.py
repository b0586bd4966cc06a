"""Encoders that mark where in the passage the answer stands (BERT, RoBERTa, MiniLM ...) as an engine.

The best pair of start and end over all windows, as for SQuAD in Devlin et al. 2018; version 2's "no answer" is the
first token's score, the lowest of all windows, against the best pair's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ozfig import prompts as parts
from ozfig.engines.base import AnswerLoss, Conversation, Decoding, batches
from ozfig.engines.transformers import opened, until
from ozfig.engines.windows import Window, longest, padded, windows
from ozfig.types import ModelRef

BEST = 20  # starts and ends that are tried with each other in a window
ANY_LENGTH = 1 << 20  # tokens: windows read passages of any length


@dataclass(frozen=True)
class Mark:
    """An answer's characters in the passage, its score (a sum of two logits), and that of no answer."""

    start: int
    end: int
    score: float
    null: float


def load(ref: ModelRef) -> SpanEngine:
    """Open a model folder, or a PEFT adapter over its base. Raises UserError for a model that cannot be opened."""
    return SpanEngine(ref.name, *opened(ref))


class SpanEngine:
    """An encoder with a head for extractive question answering. Not safe for several threads at once."""

    def __init__(self, name: str, model: Any, tokenizer: Any, threshold: float = 0.0) -> None:
        """`threshold`: by how much "no answer" has to score above the best answer to be given."""
        self.name, self.model, self.tokenizer, self.threshold = name, model, tokenizer, threshold
        self.context, self.window = ANY_LENGTH, longest(model.config, tokenizer)

    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """For each conversation the part of its last turn's passage that answers, of at most `max_tokens` tokens.

        Empty where there is no passage or no answer in it. Raises UserError for a tokenizer without offsets.
        """
        replies: list[str] = []
        for part in batches(prompts, decoding.batch, progress):
            asked = [parts.taken_apart(messages[-1].content) for messages in part]
            marks = self.mark(asked, decoding.max_tokens)
            for (passage, _), mark in zip(asked, marks, strict=True):
                said = mark is not None and mark.null <= mark.score + self.threshold
                replies.append(until(passage[mark.start : mark.end], decoding.stop).strip() if mark and said else "")
        return replies

    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """No loss for any answer: a text that is marked is not written token by token."""
        return [AnswerLoss(0.0, 0) for _ in answers]

    @torch.inference_mode()
    def mark(self, asked: Sequence[tuple[str, str]], tokens: int) -> list[Mark | None]:
        """The best answer to each (passage, question), of at most `tokens` tokens; None without a passage."""
        cut = [list(windows(self.tokenizer, q, p, self.window)) if p else [] for p, q in asked]
        flat = [window for own in cut for window in own]
        found = iter([mark for i in range(0, len(flat), 16) for mark in self._scored(flat[i : i + 16], tokens)])
        return [_best([next(found) for _ in own]) for own in cut]

    def _scored(self, batch: Sequence[Window], tokens: int) -> list[Mark]:
        """The best mark of each window."""
        given = inputs(self.model.config, self.tokenizer, [(w.ids, w.kinds) for w in batch])
        logits = self.model(**{name: values.to(self.model.device) for name, values in given.items()})
        both = zip(batch, logits.start_logits.float().cpu(), logits.end_logits.float().cpu(), strict=True)
        return [_mark(window, start, end, tokens) for window, start, end in both]


def inputs(config: Any, tokenizer: Any, rows: Sequence[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Token ids, mask and, where the model knows them, segments of (ids, segments) rows, each (rows, longest)."""
    columns = {
        "input_ids": padded([ids for ids, _ in rows], tokenizer.pad_token_id),
        "attention_mask": padded([[1] * len(ids) for ids, _ in rows], 0),
        "token_type_ids": padded([kinds for _, kinds in rows], 0),
    }
    if getattr(config, "type_vocab_size", 0) < 2:
        del columns["token_type_ids"]
    return {name: torch.tensor(values) for name, values in columns.items()}


def _mark(window: Window, start: torch.Tensor, end: torch.Tensor, tokens: int) -> Mark:
    """The best answer of one window: the end not before the start, both in the passage."""
    null = float(start[0] + end[0])
    inside = torch.tensor([i for i, (a, b) in enumerate(window.places) if a < b])
    if not len(inside):
        return Mark(0, 0, -torch.inf, null)
    first, last = (inside[x[inside].topk(min(BEST, len(inside))).indices] for x in (start, end))
    length = last[None, :] - first[:, None]
    scores = (start[first][:, None] + end[last][None, :]).masked_fill((length < 0) | (length >= tokens), -torch.inf)
    row, column = divmod(int(scores.argmax()), len(last))
    return Mark(window.places[first[row]][0], window.places[last[column]][1], float(scores[row, column]), null)


def _best(marks: Sequence[Mark]) -> Mark | None:
    """The best of a passage's windows, with the lowest score of no answer among them."""
    if not marks:
        return None
    best = max(marks, key=lambda mark: mark.score)
    return Mark(best.start, best.end, best.score, min(mark.null for mark in marks))
