"""Greedy replies of llama.cpp beside those of the same weights in Transformers, token by token.

Where llama.cpp chooses another token, it is asked again behind ours, so that every token of a reply is compared.
llama.cpp also rounds activations, to float16 beside F16 weights and to 8 bits beside smaller ones, so a tie can fall
either way: two tokens whose log-probabilities lie no further apart than both sides together may be off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ozfig import console
from ozfig.engines.base import Conversation
from ozfig.engines.gguf import LlamaServer, NextToken
from ozfig.engines.transformers import TransformersEngine
from ozfig.export.errors import ParityError

TOKENS, BATCH = 32, 16
# nats on the average; another architecture than the model's is further off, a small quantisation is not
FURTHEST = 0.5


@dataclass
class Tally:
    """What was seen over all places of all replies."""

    places: int = 0
    equal: int = 0
    gaps: list[float] = field(default_factory=list)

    def figures(self, replies: int) -> dict[str, float]:
        """For the manifest."""
        return {
            "replies": replies,
            "reply_tokens": self.places,
            "reply_tokens_equal": self.equal,
            "largest_gap": round(max(self.gaps, default=0.0), 4),
            "mean_gap": round(sum(self.gaps) / max(1, len(self.gaps)), 5),
        }


class Comparison:
    """One file in llama.cpp against its weights in Transformers."""

    def __init__(self, engine: TransformersEngine, server: LlamaServer, name: str, limit: float | None) -> None:
        """`limit` is the largest gap of a log-probability in nats; without one, gaps are told and not judged."""
        self.engine, self.server, self.name, self.limit, self.tally = engine, server, name, limit, Tally()

    def run(self, asked: Sequence[Conversation]) -> dict[str, float]:
        """Compare the reply to each prompt. Raises ParityError for the first one that differs."""
        room = min(TOKENS, self.engine.context // 2)
        rows = [self.engine.prompt_ids(messages, room) for messages in asked]
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            for ids, reply in zip(part, self.engine.continuations(part, room).tolist(), strict=True):
                end = next((i for i, token in enumerate(reply, 1) if token in self.engine.stops), len(reply))
                self._walk(ids, reply[:end], self._expected(ids, reply[:end]))
        figures = self.tally.figures(len(asked))
        if figures["mean_gap"] > FURTHEST:
            raise ParityError(
                f"{self.name}: llama.cpp computes something else: log-probabilities differ by "
                f"{figures['mean_gap']:.2f} nats on the average"
            )
        if self.tally.places == len(asked):
            console.warn(f"{self.name}: the tuned model answers {len(asked)} questions with nothing")
        return figures

    @torch.inference_mode()
    def _expected(self, ids: list[int], reply: list[int]) -> torch.Tensor:
        """The log-probabilities before each token of a reply: (tokens, vocabulary)."""
        whole = torch.tensor([ids + reply], device=self.engine.model.device)
        logits = self.engine.model(input_ids=whole).logits[0, len(ids) - 1 : -1]
        return torch.log_softmax(logits.float(), -1).cpu()

    def _walk(self, ids: list[int], reply: list[int], expected: torch.Tensor) -> None:
        """Follow a reply to its end, asking again behind each place where llama.cpp leaves it."""
        at = 0
        while at < len(reply):
            left = len(reply) - at
            found, ended = self.server.continuation(ids + reply[:at], left + 1)
            for place in found[:left]:
                self._compare(place, reply[at], expected[at], reply[:at])
                at += 1
                if place[0] != reply[at - 1]:
                    ended = False
                    break
            ended = ended and len(found) <= left
            if ended != (at == len(reply) and found[min(left, len(found)) - 1][0] in self.engine.stops):
                self._fail_at_end(reply[at - 1], ended)

    def _compare(self, place: NextToken, token: int, expected: torch.Tensor, before: list[int]) -> None:
        """Count one place. Raises ParityError beyond the limit."""
        tally, (chosen, likeliest) = self.tally, place
        tally.places += 1
        tally.equal += chosen == token
        if self.limit is not None and float(expected[token] - expected[chosen]) > 2 * self.limit:
            raise ParityError(
                f"{self.name}: after {self._text(before)!r} comes {self._text([token])!r} in training, "
                f"{self._text([chosen])!r} in llama.cpp, and it is no tie"
            )
        if not likeliest:
            return
        theirs = likeliest.get(token, min(likeliest.values()))
        gap = abs(float(expected[token]) - theirs)
        tally.gaps.append(gap)
        if self.limit is not None and gap > self.limit:
            raise ParityError(
                f"{self.name}: after {self._text(before)!r} the log-probability of {self._text([token])!r} is "
                f"{float(expected[token]):.3f} in training, {theirs:.3f} in llama.cpp; "
                f"export.limits.gap allows {self.limit:g}"
            )

    def _fail_at_end(self, token: int, ended: bool) -> None:
        does = "ends" if ended else "does not end"
        raise ParityError(f"{self.name}: llama.cpp {does} a reply at {self._text([token])!r}, unlike in training")

    def _text(self, ids: list[int]) -> str:
        return str(self.engine.tokenizer.decode(ids))
