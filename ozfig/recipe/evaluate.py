"""What is measured, and how."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from ozfig.recipe.other import OtherModel
from ozfig.recipe.section import Section

POINTS = ("base", "tuned", "quantised", "all_quantised")


def _point_kind(value: Any) -> str:
    """Of the run, or any other: so that a mistake in one is not explained as a mistake in the other."""
    return "own_model" if isinstance(value, str) else "other_model"


Point = Annotated[
    Annotated[str, Tag("own_model")] | Annotated[OtherModel, Tag("other_model")], Discriminator(_point_kind)
]


class RunningText(Section):
    """A text file whose perplexity is measured."""

    path: Path
    """UTF-8 text."""
    name: str = ""
    """What it is called in the report; the file's name by default."""
    definition: Literal["stride", "llama"] = "stride"
    """stride: windows that overlap by half. llama: as llama.cpp's perplexity tool."""
    context: int | None = Field(None, ge=8)
    """Tokens of a window: by default 512 for llama, for stride what the model reads."""
    limit_tokens: int | None = Field(None, ge=16)
    """At most this many tokens, from the beginning."""


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

    points: list[Point] = Field(["base", "tuned", "quantised"], min_length=1)
    """Which models are asked: base, tuned, quantised (the first exported file), all_quantised, the name of an exported
    quantisation such as Q8_0, or any other model as {name: zephyr, model: hub id, folder, .gguf file or URL}."""
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
    text: RunningText | None = None
    """A running text whose perplexity is measured too."""
    bertscore_model: str = "auto"
    """Encoder of BERTScore: minilm works offline, roberta-large is the field's habit, or any hub id. auto is
    roberta-large where the hub answers or it is here already, else minilm."""
    bertscore_idf: bool = False
    """Weigh each token by its rarity among the references."""
    resamples: int = Field(10_000, ge=1000)
    """Bootstrap resamples for each interval."""
    tasks: list[Benchmark] = []
    """Benchmarks by name, measured on the same models: sciq, or {name: sciq, limit: 50, num_fewshot: 0, file: path}."""

    @field_validator("points")
    @classmethod
    def _known_points(cls, points: list[str | OtherModel]) -> list[str | OtherModel]:
        """Names that can be a model's; which quantisations there are is the export section's matter."""
        names = [point if isinstance(point, str) else point.name for point in points]
        for point in points:
            if isinstance(point, str) and point not in POINTS and not point.isupper():
                near = difflib.get_close_matches(point, POINTS, 1, 0.5)
                raise ValueError(
                    f"{point!r} is no point; {f'did you mean {near[0]}?' if near else 'give it as {name, model}'}"
                )
            if isinstance(point, OtherModel) and (point.name in POINTS or point.name.isupper()):
                raise ValueError(f"{point.name!r} is a point of the run; call the other model by another name")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice!r} is named twice")
        return points

    @field_validator("tasks", mode="before")
    @classmethod
    def _names(cls, values: Any) -> Any:
        if not isinstance(values, list):
            return values
        return [{"name": value} if isinstance(value, str) else value for value in values]
