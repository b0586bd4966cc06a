"""One stage: its folder, what it is handed, and the manifest that declares it done."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ozfig import __version__, earlier, files, recipes, registry, usage
from ozfig.pipeline.stages import Stage
from ozfig.pipeline.stale import Step
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.types import Job, Manifest, ModelRef, Outcome

PACKAGES = ["torch", "transformers", "peft", "gguf", "xllamacpp", "html-to-markdown", "bm25s", "lm_eval"]


def perform(
    step: Step, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool
) -> tuple[Outcome, Manifest]:
    """Run one stage; returns what it gives and the manifest that declares it done."""
    stage, folder = step.stage, run.stage(step.stage.name)
    continued, aside = _open(run, stage.name, step.key)
    job = _job(stage, recipe, run, models, refresh)
    hashes = stage.hashes(recipe, run)  # before it runs: of what it is given
    with usage.measured() as used, earlier.kept(run, stage.name, aside):
        outcome: Outcome = registry.find("stage", stage.name)(job)
    # what changed meanwhile was not seen: the stage has to run again
    unchanged = stage.key(recipe, stage.hashes(recipe, run), models) == step.key
    return outcome, Manifest(
        stage=stage.name,
        key=step.key,
        frozen_key=stage.key(_with(recipe, outcome.resolved), hashes, models) if unchanged else "",
        inputs=hashes,
        outputs={name: files.sha256_path(folder / name) for name in sorted(outcome.outputs)},
        metrics=outcome.metrics | ({"resolved": outcome.resolved} if outcome.resolved else {}),
        versions=_versions(),
        seconds=round(used.seconds, 2),
        peak_memory_mb=round(used.peak_memory_mb, 1),
        disk_mb=round(usage.disk_mb(folder), 2),
        continued=continued,
        models=run.rows(outcome.models),
    )


def with_resolved(recipe: Recipe, manifest: Manifest | None) -> Recipe:
    """The recipe with what a stage's manifest says of its `auto` values."""
    return _with(recipe, manifest.metrics.get("resolved", {})) if manifest else recipe


def _open(run: Run, stage: str, key: str) -> tuple[bool, Path | None]:
    """Make a stage's folder ready.

    Whether what lies there was begun under the same key and goes on; else where that was moved, if there was any.
    """
    folder = run.stage(stage)
    manifest, marker = folder / "manifest.json", folder / "key.txt"
    unfinished = not manifest.exists() and marker.exists() and marker.read_text() == key
    # what lies there was made from other input; of an unfinished one the result of the time before may wait
    aside = earlier.waiting(run, stage, key) if unfinished else earlier.put_aside(run, stage)
    folder.mkdir(parents=True, exist_ok=True)
    manifest.unlink(missing_ok=True)
    files.write_text(marker, key)
    return unfinished, aside


def _job(stage: Stage, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool) -> Job:
    """What the stage is handed."""
    shown = {name: run.folder / path for name, path in stage.reads.items()}
    return Job(
        name=recipe.name,
        section=getattr(recipe, stage.name),
        seed=recipe.seed,
        system=recipe.system,
        folder=run.stage(stage.name).resolve(),
        inputs=stage.paths(recipe, run) | shown,
        models=stage.needed(models),
        cache=run.folder.resolve() / "cache" / stage.name,
        refresh=refresh,
    )


def _with(recipe: Recipe, resolved: dict[str, Any]) -> Recipe:
    """The recipe with `section.key` values put in place of each `auto`."""
    values = recipe.model_dump(mode="json")
    for key, value in resolved.items():
        section, name = key.split(".", 1)
        values[section][name] = value
    return recipes.parse(Recipe, values, recipe.name)


def _versions() -> dict[str, str]:
    """Versions of what a result may depend on."""
    found = {"ozfig": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
