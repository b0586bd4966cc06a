"""How passages are cut and pairs are made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ozfig.recipe.section import Section


class Passages(Section):
    """How documents are cut, and the index that finds the pieces again."""

    max_tokens: int = Field(256, ge=32)
    """Longest passage in tokens of the base model, cut along headings."""
    overlap: int = Field(32, ge=0)
    """Tokens that a passage repeats of the one before it under the same heading."""
    index: Literal["fused", "words"] = "fused"
    """words: BM25 alone; fused: BM25 and sentence embeddings together."""


class RulePairs(Section):
    """Question-answer pairs from the structure of the text, without a model."""

    kind: Literal["rules"] = "rules"
    rules: list[Literal["faq", "heading", "definition", "table"]] = ["faq", "heading", "definition", "table"]
    """Which structures become pairs."""


class TeacherPairs(Section):
    """Question-answer pairs that a stronger model writes from each passage."""

    kind: Literal["teacher"] = "teacher"
    url: str = ""
    """An OpenAI-compatible address that ends in /v1; without one, `model` is loaded on this machine."""
    model: str = "any"
    """The model's name at the url, or `any` for the first that it offers; without a url a GGUF file, a folder, a hub \
id, or `base` (and `any`) for the recipe's own."""
    api: Literal["auto", "chat", "completions"] = "auto"
    """chat: /v1/chat/completions; completions: /v1/completions, for models that do not chat."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the API key."""
    pairs: int = Field(3, ge=1, le=20)
    """Pairs to ask for on each passage."""
    at_least: int = Field(0, ge=0)
    """Pairs that the form of the answer demands, where the server keeps to a form; small models need to be asked."""
    instructions: str = ""
    """What the teacher is told besides the form of its answer, instead of ozfig's own words."""
    max_passages: int | None = Field(None, ge=1)
    """At most this many passages, chosen by their content's hash."""
    concurrency: int = Field(4, ge=1, le=64)
    """Requests under way at once."""
    timeout: float = Field(120.0, gt=0)
    """Seconds after which a request is given up and tried again."""
    temperature: float = Field(0.3, ge=0)
    """Sampling temperature."""
    max_tokens: int = Field(700, ge=16)
    """Longest answer of the teacher."""
    max_total_tokens: int | None = Field(None, ge=1)
    """Refuse to start when more tokens than this may be needed, and stop when they are used up."""
    price_in: float = Field(0.0, ge=0)
    """Price of a million tokens that the teacher reads."""
    price_out: float = Field(0.0, ge=0)
    """Price of a million tokens that the teacher writes."""
    max_cost: float | None = Field(None, ge=0)
    """Refuse to start when it may cost more than this, and stop when it does, in the unit of the prices."""
    grounding: Literal["drop", "flag", "off"] = "drop"
    """What happens to answers that their passage does not support and to questions that cannot stand alone."""


class NoPairs(Section):
    """Only the data sets' own pairs."""

    kind: Literal["none"] = "none"


PairMaker = Annotated[RulePairs | TeacherPairs | NoPairs, Field(discriminator="kind")]
