"""What is measured, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from ozfig.recipe.section import Section


class Benchmark(Section):
    """A task of lm-evaluation-harness, or a group or tag of them."""

    name: str
    """Its name there, such as sciq, mmlu or arithmetic."""
    limit: int | None = Field(None, ge=2)
    """At most this many items of each task, the first ones, as lm-eval takes them."""
    num_fewshot: int | None = Field(None, ge=0)
    """Solved examples before each question; else as many as the task says."""
    file: str = ""
    """The items, in place of the task's own data set: JSON, JSONL, CSV, TSV or Parquet with its columns, or a file \
as its authors publish it (docs/evaluate.md); a folder for a group."""
    fewshot_file: str = ""
    """file: solved examples come from this one; else from the items, never the one that is asked."""


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
    tasks: list[Benchmark] = []
    """Benchmarks by name, measured on the same models: sciq, or {name: sciq, limit: 50, num_fewshot: 0, file: path}."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _names(cls, values: Any) -> Any:
        if not isinstance(values, list):
            return values
        return [{"name": value} if isinstance(value, str) else value for value in values]
