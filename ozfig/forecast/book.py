"""plan.json of a run: what each stage was to take, and what it took. Never hashed: it holds times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.engines.families import decided
from ozfig.engines.resolve import here
from ozfig.forecast import estimate, rows
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.types import Manifest, ModelRef

NAME = "plan.json"
ESTIMATED = {"tune": estimate.tune, "export": estimate.export, "evaluate": estimate.evaluate}


def forecast(recipe: Recipe, run: Run, now: bool) -> dict[str, dict[str, Any]]:
    """What tune, export and evaluate will take; `now` allows to time a few steps of training.

    Empty where the base is not on this disk yet: nothing is downloaded for a plan. Raises UserError for a head
    that the base cannot have.
    """
    folder = here(recipe.base)
    if folder is None:
        return {}
    head = decided(recipe.tune.head, files.read_json(folder / "config.json"), recipe.base)
    base = ModelRef("transformers", str(folder), recipe.base, head=head)
    found = rows.estimate(recipe, run, base)
    if not found.lengths:
        return {}
    work = estimate.work(recipe, run, found, base, now)
    return {stage: estimated(work).to_row() for stage, estimated in ESTIMATED.items()}


def open_book(recipe: Recipe, run: Run) -> None:
    """Store what is expected, as tuning starts: by an earlier calibration, else by the formula."""
    planned = forecast(recipe, run, now=False)
    files.write_json(run.folder / NAME, {stage: {"planned": row} for stage, row in planned.items()})


def note(run: Run, manifest: Manifest) -> None:
    """Store what a stage took. One that went on after it was stopped says so: its seconds are those of the rest."""
    path: Path = run.folder / NAME
    found: dict[str, Any] = files.read_json(path) if path.exists() else {}
    if manifest.stage in ESTIMATED:
        took = {"seconds": manifest.seconds, "memory_mb": manifest.peak_memory_mb, "disk_mb": manifest.disk_mb}
        took |= {"continued": True} if manifest.continued else {}
        found[manifest.stage] = {**found.get(manifest.stage, {}), "actual": took}
        files.write_json(path, found)
