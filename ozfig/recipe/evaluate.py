"""What is measured, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ozfig.recipe.section import Section


class Evaluate(Section):
    """What is measured, and how."""

    points: list[Literal["base", "tuned", "quantised"]] = Field(["base", "tuned", "quantised"], min_length=1)
    """Which models are asked."""
    conditions: list[Literal["closed_book", "gold_context", "retrieved"]] = Field(
        ["closed_book", "retrieved", "gold_context"], min_length=1
    )
    """Without a passage, with the right one, and with the passages that a search over the run's documents finds."""
    passages: int = Field(2, ge=1)
    """retrieved: how many passages are shown."""
    metrics: list[str] = Field(["exact_match", "token_f1", "bertscore", "answer_words", "perplexity"], min_length=1)
    """Names of metrics."""
    limit: int | None = Field(200, ge=2)
    """At most this many held-out questions."""
    max_tokens: int = Field(64, ge=1)
    """Longest reply."""
    batch: int = Field(16, ge=1)
    """Questions decoded together; fixed, because the size of a batch can change a reply's last digits."""
    bertscore_model: str = "minilm"
    """Encoder of BERTScore: minilm works offline, any hub id (roberta-large is the field's habit) with internet."""
    resamples: int = Field(10_000, ge=1000)
    """Bootstrap resamples for each interval."""
