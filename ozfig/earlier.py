"""What a stage made or began before its recipe changed: it waits aside until something new takes its place.

It lies in `cache/earlier/<stage>-<key>/` of the run. So a command with a wrong option costs nothing, and who puts the
recipe back has the earlier result, or the earlier half of a training, back too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ozfig import files
from ozfig.errors import OzfigError
from ozfig.runs import RECIPE, STAGES, Run

MARKER, MANIFEST = "key.txt", "manifest.json"
KEY_SHOWN = 16  # characters of a key that tell folders apart


def has_work(folder: Path) -> bool:
    """Whether a stage's folder holds more than the mark of what it was begun for."""
    return any(path.is_file() and path.name != MARKER for path in folder.rglob("*"))


def put_aside(run: Run, stage: str) -> Path | None:
    """Move a stage's folder away; returns where to, or None where it held nothing."""
    folder = run.stage(stage)
    if not has_work(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    marker = folder / MARKER
    key = marker.read_text() if marker.exists() else "unknown"
    aside = _aside(run) / f"{stage}-{key[:KEY_SHOWN]}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(aside)
    return aside


def bring_back(run: Run, stage: str, key: str) -> None:
    """Put back what was made or begun for `key`, if it waits; what lies in its place for another key waits then."""
    if key in _keys(run.stage(stage)):
        return
    if aside := waiting(run, stage, key):
        back = aside.with_name(f"{stage}-{key[:KEY_SHOWN]}.back")  # found again after a kill between the two renames
        if back != aside:
            shutil.rmtree(back, ignore_errors=True)
            aside.rename(back)
        put_aside(run, stage)
        back.rename(run.stage(stage))


def waiting(run: Run, stage: str, key: str) -> Path | None:
    """Where what was made or begun for `key` waits, if it does."""
    return next((path for path in sorted(_aside(run).glob(f"{stage}-*")) if key in _keys(path)), None)


def forget(run: Run, stage: str) -> None:
    """Remove all that waits of a stage: it has a new result."""
    for aside in _aside(run).glob(f"{stage}-*"):
        shutil.rmtree(aside)


@contextmanager
def kept(run: Run, stage: str, aside: Path | None) -> Iterator[None]:
    """Put what was moved to `aside` back when the stage fails before it has anything of its own."""
    try:
        yield
    except OzfigError:
        if aside and not has_work(run.stage(stage)):
            shutil.rmtree(run.stage(stage), ignore_errors=True)
            aside.rename(run.stage(stage))
        raise


@contextmanager
def recipe_kept(run: Run) -> Iterator[None]:
    """Give the run its earlier recipe back when the block fails and every stage is as it was."""
    path = run.folder / RECIPE
    recipe, before = path.read_text(encoding="utf-8") if path.exists() else "", _state(run)
    try:
        yield
    except OzfigError:
        if recipe and _state(run) == before:
            files.write_text(path, recipe)
        raise


def _aside(run: Run) -> Path:
    return run.folder / "cache" / "earlier"


def _keys(folder: Path) -> set[str]:
    """The keys that a stage's folder answers to: what it was begun for, and the same with every `auto` resolved."""
    manifest, marker = folder / MANIFEST, folder / MARKER
    said = files.read_json(manifest) if manifest.exists() else {}
    return {said.get("key", ""), said.get("frozen_key", ""), marker.read_text() if marker.exists() else ""} - {""}


def _state(run: Run) -> list[set[str]]:
    """What each stage of the run was made or begun for."""
    return [_keys(run.stage(stage)) for stage in STAGES]
