"""Which benchmarks there are, told from lm-evaluation-harness's files without importing it.

Its own index parses some 14,000 files, three times as slow as looking for their names; and a recipe is
checked before hours of tuning, where nothing heavy may be loaded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ozfig.errors import MissingExtra, UserError
from ozfig.recipe import Benchmark

_LINE = rb"""^["']?%s["']?[ ]*:[ ]*["']?([^\s"'#\[\]{}>|]+)["']?[ ]*\r?$"""
_NAMED = re.compile(_LINE % rb"(?:task|group)", re.MULTILINE)
_TAG = re.compile(_LINE % rb"tag", re.MULTILINE)
_TAGS = re.compile(rb"""^["']?tag["']?[ ]*:[ ]*\n((?:[ ]*-[ ]*[^\n]+\n?)+)""", re.MULTILINE)
_ITEM = re.compile(rb"""-[ ]*["']?([^\s"']+)""")


def check(benchmarks: Sequence[Benchmark]) -> None:
    """Find what would fail later. Raises MissingExtra without lm-eval, UserError for a name that it does not know."""
    for benchmark in benchmarks:
        find(benchmark.name)


def find(name: str) -> list[Path]:
    """The files that define a task, a group of tasks or a tag, the first one first.

    Raises MissingExtra without lm-eval, UserError with the nearest names for one that it does not know.
    """
    known = index(root())
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "lm-eval ls tasks lists them"
        raise UserError(f"evaluate.tasks: {name}: lm-evaluation-harness has no such task; {hint}")
    return known[name]


def root() -> Path:
    """The folder of lm-evaluation-harness's tasks. Raises MissingExtra."""
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("evaluate.tasks", "tasks")
    return Path(spec.submodule_search_locations[0]) / "tasks"


@lru_cache(1)
def index(folder: Path) -> dict[str, list[Path]]:
    """The files of each task, group and tag under a folder."""
    found: dict[str, list[Path]] = {}
    files = (path for path in folder.rglob("*") if path.suffix in ("", ".yaml") and path.is_file())
    for path in sorted(files, key=lambda p: p.as_posix()):
        text = path.read_bytes()
        # what others include has no suffix: its tags are theirs, its task is not
        names = _NAMED.findall(text) if path.suffix else []
        names += _TAG.findall(text) + [name for items in _TAGS.findall(text) for name in _ITEM.findall(items)]
        for name in dict.fromkeys(names):
            found.setdefault(name.decode(), []).append(path)
    return found
