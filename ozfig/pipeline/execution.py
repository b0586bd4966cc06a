"""Running the stages that are not done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ozfig import console, earlier, recipes, registry
from ozfig.engines.resolve import resolve
from ozfig.errors import OzfigError
from ozfig.forecast import book
from ozfig.pipeline.checks import check
from ozfig.pipeline.perform import perform, with_resolved
from ozfig.pipeline.stages import POINTS, still_valid, up_to
from ozfig.pipeline.stale import looked_back
from ozfig.recipe import Pretrain, Recipe
from ozfig.runs import STAGES, Run
from ozfig.types import ModelRef


@dataclass
class Result:
    """What a run ended with: the object that `--json` prints."""

    run: Path
    seconds: float
    stages: dict[str, dict[str, Any]]
    models: dict[str, ModelRef]

    def to_json(self) -> dict[str, Any]:
        """The contract for scripts."""
        report = self.run / "evaluate" / "report.html"
        return {
            "run": str(self.run),
            "seconds": round(self.seconds, 2),
            "stages": self.stages,
            "models": {point: self.models[point].path if point in self.models else None for point in POINTS},
            "report": str(report) if report.exists() else None,
        }


def execute(
    recipe: Recipe,
    run: Run,
    until: str = STAGES[-1],
    refresh: bool = False,
    announce: Callable[[str, str, float], None] | None = None,
    skip: Collection[str] = (),
) -> Result:
    """Run every stage up to `until` that is not done, but for those to skip; the run folder is locked meanwhile.

    A stage that was killed starts again in its folder and continues what it can.
    """
    check(recipe)
    started = time.monotonic()
    with _removed_if_empty(run), run.lock(), earlier.recipe_kept(run):
        run.freeze(recipe)
        models = run.models()
        models.pop("base", None)
        report: dict[str, dict[str, Any]] = {}
        frozen = recipe
        for stage in (stage for stage in up_to(until) if stage.name not in skip):
            began = time.monotonic()
            models |= stage.base(recipe, models)
            step = looked_back(stage, recipe, run, models, refresh)
            if step.reason:
                if stage.name == "tune":
                    book.open_book(recipe, run)
                outcome, manifest = perform(step, recipe, run, models, refresh)
                models = still_valid(models, stage) | outcome.models
                run.write_models(models)
                book.note(run, manifest)
                run.write_manifest(manifest)  # last: with it the stage counts as done
                earlier.forget(run, stage.name)
            elif made := run.made(stage.name):  # an earlier stage's new result had put them out of the run's models
                models |= made
                run.write_models(models)
            frozen = with_resolved(frozen, run.manifest(stage.name))
            status = "done" if step.reason else "skipped"
            report[stage.name] = {"status": status, "seconds": round(time.monotonic() - began, 2)}
            if announce:
                announce(stage.name, status, time.monotonic() - began)
        run.freeze(frozen)
    return Result(run.folder, time.monotonic() - started, report, models)


@contextmanager
def _removed_if_empty(run: Run) -> Iterator[None]:
    """Take the folder of a new run away when its first stage fails with nothing in the cache to go on with."""
    is_new = not run.folder.exists()
    try:
        yield
    except OzfigError:
        kept = (path for path in (run.folder / "cache").rglob("*") if path.is_file())
        if is_new and run.manifest(STAGES[0]) is None and not any(kept):
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def shown_tokens(recipe: Recipe, run: Run, n: int) -> list[list[tuple[str, bool]]]:
    """`n` rows as the tune stage would train on them, as runs of (text, trained); the pairs are made if they must."""
    execute(recipe, run, "prepare")
    rows: list[list[tuple[str, bool]]] = registry.find("tokens", "shown")(
        recipe, resolve(recipe.base, recipe.tune.head), run.stage("prepare") / "train.jsonl", n
    )
    return rows


def pretrain(section: Pretrain, runs: Path) -> dict[str, Any]:
    """Train a base model on text, then on instructions, in `runs/<name>`; both phases continue when killed.

    The second phase is the ordinary pipeline up to `tune`, with the first phase's model as its base.
    """
    folder = runs / section.name
    with Run(folder / "text").lock():
        figures: dict[str, Any] = registry.find("pretrain", "model")(section, folder / "text")
    if section.instruct is None:
        return figures
    values = section.instruct.model_dump(mode="json")
    recipe = recipes.parse(
        Recipe,
        {
            "name": "instruct",
            "seed": section.seed,
            "system": "",
            "base": str(Path(figures["model"]).resolve()),
            **values,
        },
        section.name,
    )
    result = execute(recipe, Run(folder / "instruct"), until="tune", announce=console.stage_line)
    return {**figures, "model": result.models["tuned"].path}
