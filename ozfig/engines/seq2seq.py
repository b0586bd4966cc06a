"""Encoder-decoder models (T5, BART ...) as an engine: the encoder reads the conversation, the decoder replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from ozfig.engines.base import AnswerLoss, Asked, Conversation, Decoding, batches
from ozfig.engines.loading import context_length
from ozfig.engines.transformers import opened, rendered, until
from ozfig.engines.windows import padded
from ozfig.types import Message, ModelRef

IGNORED = -100


def load(ref: ModelRef) -> Seq2SeqEngine:
    """Open a model folder, or a PEFT adapter over its base. Raises UserError for a model that cannot be opened."""
    return Seq2SeqEngine(ref.name, *opened(ref))


def source_ids(tokenizer: Any, name: str, messages: Conversation) -> list[int]:
    """What the encoder reads: the conversation under the chat template and the tokenizer's own end marker.

    Raises UserError when the template refuses the messages.
    """
    text = rendered(tokenizer, name, messages, reply=True)
    return list(tokenizer(text, verbose=False)["input_ids"])


def target_ids(tokenizer: Any, answer: str) -> list[int]:
    """What the decoder has to write: the answer and the end marker."""
    return list(tokenizer(text_target=answer, verbose=False)["input_ids"])


class Seq2SeqEngine:
    """An encoder-decoder in this process. Not safe for several threads at once."""

    def __init__(self, name: str, model: Any, tokenizer: Any) -> None:
        self.name, self.model, self.tokenizer = name, model, tokenizer
        self.context = context_length(model.config, tokenizer)
        own = model.generation_config
        # a model's own sampling defaults, such as beams or a penalty, would change greedy replies too
        model.generation_config = GenerationConfig(
            eos_token_id=own.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
            forced_bos_token_id=own.forced_bos_token_id,
        )

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """Greedy replies in fixed batches, in the given order; text from a stop string on is cut off.

        Raises UserError when the chat template refuses a prompt.
        """
        replies: list[str] = []
        for part in batches(prompts, decoding.batch, progress):
            ids = self._batch([self.prompt_ids(messages) for messages in part])
            out = self.model.generate(**ids, max_new_tokens=decoding.max_tokens, do_sample=False)
            texts = self.tokenizer.batch_decode(out, skip_special_tokens=True)
            replies += [until(text, decoding.stop).strip() for text in texts]
        return replies

    @torch.inference_mode()
    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """The loss of each answer with its end marker, as the decoder's text. Raises UserError as `generate` does."""
        found: list[AnswerLoss] = []
        for start in range(0, len(prompts), batch):
            sources = [self.prompt_ids(messages) for messages in prompts[start : start + batch]]
            targets = [target_ids(self.tokenizer, a)[: self.context] for a in answers[start : start + batch]]
            labels = torch.tensor(padded(targets, IGNORED), device=self.model.device)
            before = self.model.prepare_decoder_input_ids_from_labels(labels=labels)
            logits = self.model(**self._batch(sources), decoder_input_ids=before).logits.float()
            nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").sum(1)
            found += [AnswerLoss(float(n), len(t)) for n, t in zip(nats, targets, strict=True)]
        return found

    def asked(self, messages: Conversation, tokens: int) -> Asked:
        """A prompt for a reply that is written piece by piece. Raises UserError when the template refuses it."""
        ids = self.prompt_ids(messages)
        return Asked(self._batch([ids]), len(ids), tokens, 1)

    def prompt_ids(self, messages: Conversation) -> list[int]:
        """Token ids of a prompt. One that is too long loses the start of its last turn, where the passage stands."""
        turns = list(messages)
        ids = source_ids(self.tokenizer, self.name, turns)
        while len(ids) > self.context and turns[-1].content:
            text = turns[-1].content
            surplus = max(1, len(text) * (len(ids) - self.context) // len(ids))
            turns[-1] = Message(turns[-1].role, text[surplus:])
            ids = source_ids(self.tokenizer, self.name, turns)
        return ids[-self.context :]

    def _batch(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        """Rows as a rectangle with its mask, both of shape (rows, longest)."""
        real = padded([[1] * len(row) for row in rows], 0)
        both = {"input_ids": padded(rows, self.tokenizer.pad_token_id), "attention_mask": real}
        return {name: torch.tensor(values, device=self.model.device) for name, values in both.items()}
