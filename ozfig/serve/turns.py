"""A conversation as a person reads it: questions with their answers, and the answers that were there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ozfig.store.models import Message


@dataclass
class Round:
    """A question and its answers: one in a chat, several in a comparison. `former` were written again since."""

    question: Message
    answers: list[Message] = field(default_factory=list)
    former: list[Message] = field(default_factory=list)


def rounds(messages: Sequence[Message]) -> list[Round]:
    """The questions that are part of a conversation now, oldest first."""
    found: list[Round] = []
    asked: Round | None = None
    for message in messages:
        if message.role == "user":
            asked = Round(message)
            if message.superseded is None:
                found.append(asked)
        elif asked:
            (asked.answers if message.superseded is None else asked.former).append(message)
    return found
