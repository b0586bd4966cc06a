"""What every engine can do: answer, and say how likely an answer is.

Evaluation speaks to base, tuned and quantised model through this and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ozfig.types import Message

Conversation = Sequence[Message]


@dataclass(frozen=True)
class Decoding:
    """How replies are decoded. Greedy, in fixed batches, so that the same weights give the same replies."""

    max_tokens: int = 64
    batch: int = 16
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswerLoss:
    """Summed cross-entropy in nats of an answer (its end marker included) and its number of tokens.

    No tokens: the model gives no probabilities of a text, so that no loss is defined.
    """

    nats: float
    tokens: int


@dataclass(frozen=True)
class Asked:
    """A prompt as `model.generate` takes it: its tokens, those of the reply at most, and where the reply begins."""

    inputs: dict[str, Any]
    tokens: int
    room: int
    begin: int


def batches(
    prompts: Sequence[Conversation], size: int, progress: Callable[[int], None] | None
) -> Iterator[Sequence[Conversation]]:
    """The prompts in fixed batches; `progress` receives the number of each one when the next is asked for."""
    for start in range(0, len(prompts), size):
        part = prompts[start : start + size]
        yield part
        if progress:
            progress(len(part))


class Engine(Protocol):
    """A model that is ready to answer. `context` is the most tokens of a conversation that it takes; 0: not known."""

    name: str
    context: int

    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """One reply for each conversation, in order; `progress` receives the number just answered."""

    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """The loss of each answer as the assistant's next turn; of no tokens where the model gives none."""
