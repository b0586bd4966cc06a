"""From text to pairs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ozfig.recipe.clean import CLEAN, Filter
from ozfig.recipe.gather import Dataset
from ozfig.recipe.pairs import PairMaker, Passages, RulePairs
from ozfig.recipe.section import Section


class HeldOut(Section):
    """Questions that are kept for measuring."""

    unit: Literal["question", "document"] = "question"
    """question: the passages are in training, re-worded questions are leaks; document: nothing of it is."""
    path: str = ""
    """A file of questions with reference answers; without it a share is split off."""
    share: float = Field(0.1, gt=0, lt=1)
    """Share of questions or documents to split off from each source."""
    limit: int | None = Field(200, ge=1)
    """At most this many held-out questions."""


class Leaks(Section):
    """What the training side must not repeat."""

    threshold: float = Field(0.6, gt=0, le=1)
    """The similarity of two questions' words from which a training pair is a leak of a held-out question."""
    benchmarks: list[Dataset | str] = []
    """Further test questions that must not be in training: files of any format, or data sets with their columns."""
    paraphrase: float = Field(0.8, ge=0, le=1)
    """The cosine of sentence embeddings from which a pair is listed for review as a paraphrase; 0 for never."""


class Mix(Section):
    """How much of what is trained on."""

    weights: dict[str, float] = {}
    """How often each source's rows are taken, by the source's name: 2 twice, 0.5 every other one."""
    general: float = Field(0.0, ge=0, lt=1)
    """Share of general instruction data in the training rows, against forgetting."""
    general_from: Dataset | str = ""
    """The data set that the general rows come from (in a recipe also `from`): a file or {hub: ...}."""

    @model_validator(mode="after")
    def _has_source(self) -> Mix:
        if self.general and not self.general_from:
            raise ValueError("general rows need a source: mix: {general: 0.1, from: file}")
        if any(weight < 0 for weight in self.weights.values()):
            raise ValueError("weights: a weight cannot be negative")
        return self


class Prepare(Section):
    """From text to pairs."""

    passages: Passages = Passages()
    """How documents are cut and found again."""
    pairs: list[PairMaker] = [RulePairs()]
    """How pairs are made from documents; one maker or several."""
    clean: list[Filter] = CLEAN
    """Filters, in this order."""
    leaks: Leaks = Leaks()
    """How repeated held-out questions are found."""
    mix: Mix = Mix()
    """How much of what is trained on."""
    held_out: HeldOut = HeldOut()
    """What is kept for measuring."""

    @field_validator("pairs", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict | Section) else value
