"""From documents and data sets to pairs that can be trained on, and questions that are not.

A pair maker is one function `make(section, context) -> Made`, a cleaning filter one function
`sort_out(rows, section, context) -> iterable of Verdict`; each is a row of the registry and a recipe section with its
`kind`. Both must give the same for the same rows, whatever the order in which answers arrive. Rows may lie
on disk: a filter goes through them once or fetches single ones by their index, and keeps no list of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ozfig.retrieval.chunk import Passage
from ozfig.types import Document, Dropped, Example, Flagged, ModelRef


@dataclass(frozen=True)
class Verdict:
    """What a filter says of the row at `index`; of rows that are in order it says nothing.

    `drop` takes it out, `replace` puts `replacement` in its place (the original is kept among the dropped),
    `flag` leaves it and lists it for review. `neighbour` is the question that it repeats, with its `score`, or
    the words at fault.
    """

    index: int
    reason: str
    action: Literal["drop", "replace", "flag"] = "drop"
    neighbour: str = ""
    score: float | None = None
    replacement: Example | None = None


@dataclass(frozen=True)
class Context:
    """What pair makers and filters are given. `cache` is a folder that outlives a change of the recipe."""

    cache: Path
    documents: Sequence[Document] = ()
    passages: Sequence[Passage] = ()
    base: ModelRef | None = None
    seed: int = 7


@dataclass
class Made:
    """What a pair maker gives back; `counts` are figures for the manifest."""

    examples: list[Example] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    flagged: list[Flagged] = field(default_factory=list)
    counts: dict[str, int | float] = field(default_factory=dict)
