"""A reply of an engine of Transformers' while it is being written, stopped whenever its reader is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from ozfig.engines.base import Asked, Conversation, Decoding
from ozfig.engines.transformers import until

HALF_A_LETTER = "\ufffd"  # what the first bytes of a letter decode to


class Writer(Protocol):
    """An engine that writes token by token."""

    model: Any
    tokenizer: Any

    def asked(self, messages: Conversation, tokens: int) -> Asked:
        """A prompt and the room for its reply. Raises UserError when the chat template refuses it."""


@dataclass(frozen=True)
class Written:
    """How a reply ended: tokens read and written, and whether it was cut at the limit."""

    prompt: int
    tokens: int
    cut: bool


@torch.inference_mode()
def write(engine: Writer, messages: Conversation, decoding: Decoding, emit: Callable[[str], bool]) -> Written:
    """The same greedy reply as `generate` gives, in pieces; `emit` takes each and says whether to go on."""
    asked = engine.asked(messages, decoding.max_tokens)
    teller = Teller(engine.tokenizer, asked.begin, decoding.stop, emit)
    out = engine.model.generate(
        **asked.inputs,
        max_new_tokens=asked.room,
        do_sample=False,
        stopping_criteria=StoppingCriteriaList([teller]),
    )
    teller.tell(out, last=True)
    tokens = out.shape[1] - asked.begin
    return Written(asked.tokens, tokens, tokens >= asked.room and not teller.ended(out))


class Teller(StoppingCriteria):
    """Tells the text after each token, and ends the reply at a stop string or when nobody listens."""

    def __init__(self, tokenizer: Any, begin: int, stops: Sequence[str], emit: Callable[[str], bool]) -> None:
        self._tokenizer, self._begin, self._stops, self._emit = tokenizer, begin, stops, emit
        self._told, self._wanted = 0, True

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Whether each row of ids, of shape (1, tokens), is finished."""
        done = self.tell(input_ids)
        return torch.full((input_ids.shape[0],), done, dtype=torch.bool, device=input_ids.device)

    def tell(self, ids: torch.Tensor, last: bool = False) -> bool:
        """Emit what is new; true when a stop string came or nobody wants more."""
        text = self._tokenizer.decode(ids[0, self._begin :], skip_special_tokens=True)
        cut = until(text, self._stops)
        said = cut.strip()
        if not last and cut == text:
            said = held_back(said, self._stops)
        if len(said) > self._told and self._wanted:
            self._wanted = self._emit(said[self._told :])
            self._told = len(said)
        return cut != text or not self._wanted

    def ended(self, ids: torch.Tensor) -> bool:
        """Whether the reply's last token ends it: a special one, which gives no text."""
        return int(ids[0, -1]) in set(self._tokenizer.all_special_ids)


def held_back(text: str, stops: Sequence[str]) -> str:
    """A text without an end that the next token may change: half a letter, or the beginning of a stop string."""
    text = text.rstrip(HALF_A_LETTER)
    starts = (n for stop in stops for n in range(len(stop) - 1, 0, -1) if text.endswith(stop[:n]))
    return text[: len(text) - max(starts, default=0)]
