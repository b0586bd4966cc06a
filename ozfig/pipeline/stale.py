"""Which stages are done and which are stale: a stage's key against the manifest of its folder."""

from __future__ import annotations

from dataclasses import dataclass

from ozfig import earlier
from ozfig.engines.resolve import here
from ozfig.pipeline.checks import check
from ozfig.pipeline.stages import Stage, up_to
from ozfig.recipe import Recipe
from ozfig.runs import STAGES, Run
from ozfig.types import ModelRef


@dataclass
class Step:
    """What is known of a stage before it runs: `reason` says why it must, and is empty when it need not."""

    stage: Stage
    key: str
    reason: str


def plan(recipe: Recipe, run: Run, until: str = STAGES[-1], refresh: bool = False) -> list[dict[str, str]]:
    """What each stage up to `until` would do, and why, without doing any of it."""
    check(recipe)
    models = run.models()
    models.pop("base", None)  # as a run does: the recipe's base is looked up, not the one of the time before
    rows, changed = [], ""
    for stage in up_to(until):
        section = getattr(recipe, stage.name)
        if changed:
            reason = f"after {changed}"
        elif "base" in stage.models and "base" not in models and here(recipe.base) is None:
            reason, changed = "its base is not on this disk yet", stage.name
        else:
            models |= stage.base(recipe, models)
            reason = look(stage, recipe, run, models, refresh).reason
            changed = stage.name if reason else ""
        does = ", ".join(s.kind for s in section.sources) if stage.name == "gather" else ""
        rows.append(
            {"stage": stage.name, "status": "run" if reason else "skip", "why": reason or "unchanged", "of": does}
        )
    return rows


def look(stage: Stage, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool) -> Step:
    """Decide whether a stage has to run, and say why."""
    key = stage.key(recipe, stage.hashes(recipe, run), models)
    manifest = run.manifest(stage.name)
    if manifest is None:
        reason = "unfinished" if run.stage(stage.name).exists() else "never run"
    elif key not in (manifest.key, manifest.frozen_key):
        reason = "recipe or input changed"
    elif not run.is_intact(manifest):
        reason = "output missing or edited"
    elif stage.name == "evaluate" and not (run.stage(stage.name) / "report.html").is_file():
        reason = "report missing"
    else:
        reason = "sources asked again" if refresh and stage.name == "gather" else ""
    return Step(stage, key, reason)


def looked_back(stage: Stage, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool) -> Step:
    """The same, after a result that waits aside was put back if it is the one that is asked for."""
    step = look(stage, recipe, run, models, refresh)
    if step.reason:
        earlier.bring_back(run, stage.name, step.key)
    return look(stage, recipe, run, models, refresh) if step.reason else step
