"""Encoder-decoder models: the encoder reads the conversation, the decoder learns the answer and its end marker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ozfig.engines.seq2seq import source_ids, target_ids
from ozfig.engines.windows import padded
from ozfig.recipe import Tune
from ozfig.tune import tokens
from ozfig.types import Example, Message


def encode(tokenizer: Any, messages: Sequence[Message]) -> list[tokens.Row]:
    """A row for every assistant turn after a question: `ids` of what stands before it, `labels` of what it says."""
    turns = [i for i, m in enumerate(messages) if m.role == "assistant" and any(e.role == "user" for e in messages[:i])]
    return [
        tokens.Row(source_ids(tokenizer, "base", messages[:i]), target_ids(tokenizer, messages[i].content))
        for i in turns
        if messages[i].content
    ]


def encode_all(
    examples: Sequence[Example], tokenizer: Any, section: Tune, system: str, context_length: int
) -> tokens.TokenSet:
    """Tokenise a data set; neither what is read nor what is written is longer than `context_length`.

    Raises UserError when `max_length` is beyond that or no row is left.
    """
    return tokens.encode_each(examples, lambda m: encode(tokenizer, m), section, system, context_length)


def show(rows: Sequence[tokens.Row], tokenizer: Any, n: int = 6) -> list[list[tuple[str, bool]]]:
    """`n` rows spread over the data: what is read, then what is learnt."""
    drawn = rows[:: max(1, len(rows) // n)][:n]
    return [[(tokenizer.decode(row.ids), False), (tokenizer.decode(row.labels), True)] for row in drawn]


def batches_of(model: Any, tokenizer: Any) -> Any:
    """How rows become the model's input: ids and mask (rows, read), labels and what the decoder sees (rows, said)."""

    def batch(sequences: Sequence[list[tokens.Row]]) -> dict[str, Any]:
        (rows,) = sequences
        labels = torch.tensor(padded([row.labels for row in rows], tokens.IGNORED))
        return {
            "input_ids": torch.tensor(padded([row.ids for row in rows], tokenizer.pad_token_id)),
            "attention_mask": torch.tensor(padded([[1] * len(row.ids) for row in rows], 0)),
            # the decoder sees the answer up to the token before the one it has to say
            "decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels=labels),
            "labels": labels,
            "use_cache": False,
        }

    return batch


def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """Cross-entropy in nats of the answers' tokens, divided by those of the whole step."""
    total = cross_entropy(outputs.logits.float().transpose(1, 2), labels, reduction="sum")
    return total / ((labels != tokens.IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)
