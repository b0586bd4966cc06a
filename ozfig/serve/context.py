"""What of a conversation the model gets to see: the system text and the newest turns that fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ozfig.serve.backend import Backend
from ozfig.serve.problems import ApiError
from ozfig.types import Message


async def fit(backend: Backend, turns: Sequence[Message], system: str, max_tokens: int) -> tuple[list[Message], int]:
    """The messages to send and how many of the oldest turns were left out so that they fit.

    Room is kept for the answer where it shares the context: `max_tokens`, at most a quarter of it. `turns` ends
    with the user's question. Raises ApiError 400 when that question alone is too long.
    """
    backend.ready()
    head = [Message("system", system)] if system else []
    room = backend.context - (min(max_tokens, backend.context // 4) if backend.replies_in_context else 0)
    starts = [i for i, turn in enumerate(turns) if turn.role == "user"]
    low, high = 0, len(starts) - 1
    # fewer turns never take more tokens, so the first start that fits is found by halving
    while low < high:
        middle = (low + high) // 2
        if await backend.count([*head, *turns[starts[middle] :]]) <= room:
            high = middle
        else:
            low = middle + 1
    kept = [*head, *turns[starts[low] :]]
    size = await backend.count(kept)
    if size > room:
        text = f"this question has {size} tokens with the system text, and {room} fit; shorten it"
        raise ApiError(400, text, "context_length_exceeded")
    return kept, starts[low]


def history(messages: Sequence[Message]) -> list[Message]:
    """Stored turns without the questions that were never answered: templates want the roles to alternate."""
    pairs = pairwise(messages)
    answered = [(q, a) for q, a in pairs if q.role == "user" and a.role == "assistant" and a.content.strip()]
    return [turn for pair in answered for turn in pair]
