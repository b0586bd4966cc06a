"""Where the text comes from.

A source is a function `gather(source, visit) -> Found`: `source` is its section of the recipe, `visit` the
folder that it may keep its state in. It is found by its `kind` through the registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ozfig.types import Document, Example


@dataclass(frozen=True)
class Visit:
    """What a source may use: a folder of its own, in which a killed run finds what it had."""

    folder: Path


@dataclass(frozen=True)
class Found:
    """What a source gave. `little_text` and `failed` name pages or files that a person should look at."""

    documents: list[Document] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    little_text: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    needs_browser: int = 0
