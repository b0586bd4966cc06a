"""A passage and a question as an encoder reads them: in windows that overlap where the passage is long.

Used by tuning and by answering, so that both see the same. Layout as for SQuAD in Devlin et al. 2018: question
first, passage second, each window with the whole question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ozfig.engines.loading import context_length
from ozfig.errors import UserError

LONGEST = 384  # tokens of a window, as is usual for SQuAD
PART = 3  # at most a third of a window is the question, and a third repeats the end of the window before


@dataclass(frozen=True)
class Window:
    """Token ids, their segments, and for each token of the passage its characters: (0, 0) for all others."""

    ids: list[int]
    kinds: list[int]
    places: list[tuple[int, int]]

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last token of the passage's characters from `start` up to `end`; None where one is missing.

        A token that holds more than the wanted characters counts whole.
        """
        held = [i for i, (a, b) in enumerate(self.places) if a < b and a < end and b > start]
        if not held or self.places[held[0]][0] > start or self.places[held[-1]][1] < end:
            return None
        return held[0], held[-1]


def longest(config: Any, tokenizer: Any) -> int:
    """Tokens of a window: the usual ones, or fewer where the model reads fewer."""
    # some encoders count positions from 2, so that their tables are longer than what they read
    return min(LONGEST, context_length(config, tokenizer), int(tokenizer.model_max_length))


def windows(tokenizer: Any, question: str, passage: str, size: int) -> Iterator[Window]:
    """The windows of at most `size` tokens over a passage, in order.

    Raises UserError for a tokenizer that cannot tell where its tokens
    come from.
    """
    if not tokenizer.is_fast:
        raise UserError(f"base {type(tokenizer).__name__}: marking answers needs a tokenizer with a tokenizer.json")
    found = tokenizer(
        _start(tokenizer, question, size // PART),
        passage,
        truncation="only_second",
        max_length=size,
        stride=size // PART,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
        verbose=False,
    )
    for i, ids in enumerate(found["input_ids"]):
        of = found.sequence_ids(i)
        places = [tuple(p) if of[t] == 1 else (0, 0) for t, p in enumerate(found["offset_mapping"][i])]
        yield Window(ids, found["token_type_ids"][i], places)


def _start(tokenizer: Any, text: str, tokens: int) -> str:
    """The text, or as much of its beginning as `tokens` hold."""
    places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return text if len(places) <= tokens else text[: places[tokens - 1][1]]


def padded(rows: Sequence[Sequence[int]], value: int) -> list[list[int]]:
    """Rows filled up at the end to the longest."""
    width = max(map(len, rows))
    return [[*row, *[value] * (width - len(row))] for row in rows]
