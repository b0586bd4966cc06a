"""From web sites, documents and data sets to documents and examples.

A source is one function `gather(section, context) -> Gathered`, one row of the registry's group "source"
and one recipe section with its `kind`. `section` is that recipe section; `context.folder` is a folder of
the source's own, where it may keep what lets it continue after it was killed. What it returns must not
depend on time, ports or the order in which answers arrive.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ozfig.types import Document, Example, Preference


@dataclass(frozen=True)
class SourceContext:
    """What a source is given. `folder` outlives a change of the recipe; `refresh` asks the outside world again."""

    folder: Path
    refresh: bool = False


@dataclass
class Gathered:
    """What a source gives back. `examples` may be read once only; the rest is whole when they have been read.

    `failed` names, with the reason, what could not be read; `looked_at` says in a few words what was searched;
    `needs_browser` counts pages whose text only a browser would show; `counts` are further figures for the
    manifest. `origin` names the source: it is the `source` of its documents and the `origin` of its examples.
    """

    origin: str
    documents: list[Document] = field(default_factory=list)
    examples: Iterable[Example] = ()
    preferences: list[Preference] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    looked_at: str = ""
    needs_browser: int = 0
    counts: dict[str, int] = field(default_factory=dict)
