"""The cleaning filters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ozfig.recipe.section import Section

Part = Literal["both", "question", "answer"]


class ExactFilter(Section):
    """Drops copies: the same words but for signs and case."""

    kind: Literal["exact"] = "exact"
    on: Part = "both"
    """What has to be the same: question, answer or both."""


class NearFilter(Section):
    """Drops pairs alike in words."""

    kind: Literal["near"] = "near"
    on: Part = "both"
    """What is compared: question, answer or both together."""
    threshold: float = Field(0.5, gt=0, le=1)
    """The Jaccard similarity of 3-word shingles from which a pair is a duplicate."""


class SemanticFilter(Section):
    """Drops pairs alike in meaning."""

    kind: Literal["semantic"] = "semantic"
    on: Part = "both"
    """What is compared: question or answer alone, or the questions, where their answers say the same."""
    threshold: float = Field(0.95, gt=0, le=1)
    """The cosine of sentence embeddings from which a pair is a duplicate."""
    review: float = Field(0.9, gt=0, le=1)
    """Pairs between this cosine and the threshold are kept and listed for review."""


class LengthFilter(Section):
    """Drops pairs that are too short or too long to learn from."""

    kind: Literal["length"] = "length"
    min_words: int = Field(1, ge=0)
    """Fewest words of an answer."""
    max_words: int = Field(400, ge=1)
    """Most words of an answer."""
    max_question_words: int = Field(1000, ge=1)
    """Most words of a question."""


class LanguageFilter(Section):
    """Drops pairs in other languages."""

    kind: Literal["language"] = "language"
    keep: list[str] = Field(["en"], min_length=1)
    """ISO 639-1 codes of the languages to keep."""
    min_words: int = Field(8, ge=1)
    """Pairs with fewer words are kept: too little to tell."""


class BoilerplateFilter(Section):
    """Drops answers that say nothing: click here, all rights reserved, page not found."""

    kind: Literal["boilerplate"] = "boilerplate"
    phrases: list[str] = []
    """Further phrases that an answer of theirs alone is dropped for."""


class EncodingFilter(Section):
    """Mends or drops texts with broken encodings."""

    kind: Literal["encoding"] = "encoding"
    action: Literal["mend", "drop"] = "mend"
    """mend what can be mended and drop the rest, or drop all."""


class PersonalFilter(Section):
    """Masks or drops personal data."""

    kind: Literal["personal"] = "personal"
    find: list[Literal["email", "phone", "key", "card"]] = ["email", "phone", "key", "card"]
    """What is looked for: e-mail addresses, telephone numbers, API keys and passwords, payment cards."""
    action: Literal["mask", "drop"] = "mask"
    """mask writes [email] in its place."""


class RefusalFilter(Section):
    """Drops answers in which a model refuses or speaks of itself."""

    kind: Literal["refusal"] = "refusal"


class QuotingFilter(Section):
    """Drops questions that quote their answer."""

    kind: Literal["quoting"] = "quoting"
    share: float = Field(0.9, gt=0, le=1)
    """Share of the answer's content words that the question holds already."""


Filter = Annotated[
    ExactFilter
    | NearFilter
    | SemanticFilter
    | LengthFilter
    | LanguageFilter
    | BoilerplateFilter
    | EncodingFilter
    | PersonalFilter
    | RefusalFilter
    | QuotingFilter,
    Field(discriminator="kind"),
]
CLEAN: list[Filter] = [
    EncodingFilter(),
    ExactFilter(),
    NearFilter(),
    SemanticFilter(),
    LengthFilter(),
    BoilerplateFilter(),
    RefusalFilter(),
    QuotingFilter(),
]
