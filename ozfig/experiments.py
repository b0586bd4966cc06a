"""Experiments: ordinary runs that differ in one choice, and one page that says what the choice did.

`context` is the question of reading comprehension: is a model better tuned on questions with answers alone, or on
questions with the passage that answers them? Two arms start from the same base and the same prepared pairs; both
are asked the same held-out questions without and with the passage.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ozfig import console, files, pipeline, recipes, registry
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError
from ozfig.recipe import Recipe
from ozfig.runs import EDITS, RECIPE, Run
from ozfig.types import Example

ARMS = {"question": "none", "context": "always"}  # the arm's name, and tune.context in it
SHARED = ("gather", "prepare")
FEWEST = 2


def context(recipe: Recipe, runs: Path, out: Path | None = None, refresh: bool = False) -> dict[str, Any]:
    """Tune without and with the passage, measure both without and with it, and write the page.

    The arms are the runs `<name>-question` and `<name>-context` in `runs`; the page goes to `out`, by default
    `<name>-experiment` beside them. What is done is skipped, so that a killed experiment goes on. A model that
    marks answers (`span`) has the second arm alone: without a passage there is nothing to mark. Returns what
    `--json` prints. Raises UserError when too few held-out questions have a passage.
    """
    folder = out or runs / f"{recipe.name}-experiment"
    marks = resolve(recipe.base, recipe.tune.head).head == "span"
    done: dict[str, Run] = {}
    for arm, shown in ARMS.items():
        if marks and arm == "question":
            console.warn("this base marks answers in a passage: it can be neither tuned nor asked without one")
            continue
        own, run = _arm(recipe, arm, runs)
        console.say(f"[bold]{own.name}[/bold]  tune.context={shown}  [dim]{run.folder}[/dim]")
        for first in done.values():
            _share(first, run)
        pipeline.execute(own, run, "prepare", refresh and not done, console.stage_line)
        _check_passages(run)
        pipeline.execute(own, run, announce=_later, skip=("export",))
        done[arm] = run
    command = f"ozfig experiment context {folder / RECIPE}" + (f" --runs {runs} --out {out}" if out else "")
    files.write_text(folder / RECIPE, f"# {command}\n{recipes.dump(recipe)}")
    write = registry.find("experiment", "context")
    found: dict[str, Any] = write({arm: run.folder for arm, run in done.items()}, folder, recipe.name, command)
    return found


def _arm(recipe: Recipe, arm: str, runs: Path) -> tuple[Recipe, Run]:
    """An arm's recipe, which is the experiment's but for what the experiment is about, and its run."""
    asked = {"points": ["base", "tuned"], "conditions": ["closed_book", "gold_context"]}
    own = recipe.model_copy(
        update={
            "name": f"{recipe.name}-{arm}",
            "tune": recipe.tune.model_copy(update={"context": ARMS[arm]}),
            "evaluate": recipe.evaluate.model_copy(update=asked),
        }
    )
    return own, Run(runs / own.name)


def _later(stage: str, status: str, seconds: float) -> None:
    """Announce the stages that come after the pairs."""
    if stage not in SHARED:
        console.stage_line(stage, status, seconds)


def _share(first: Run, run: Run) -> None:
    """Give an arm the pairs of the first one, and what the base said to the questions.

    Raises UserError when people have edited this arm's pairs and not the first one's.
    """
    with run.lock():
        edits, own = first.folder / EDITS, run.folder / EDITS
        if edits.exists():
            files.write_bytes(own, edits.read_bytes())
        elif own.exists():
            raise UserError(f"{own}: both arms use the pairs of {first.folder}; edit them there")
        for stage in SHARED:
            if run.manifest(stage) != first.manifest(stage):
                _copy(first.stage(stage), run.stage(stage))
        said = first.folder / "cache" / "evaluate"
        if said.exists():
            tuned = shutil.ignore_patterns("tuned.*", "*.part")
            shutil.copytree(said, run.folder / "cache" / "evaluate", ignore=tuned, dirs_exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another, whole or not at all."""
    part = target.with_name(f"{target.name}.copy")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def _check_passages(run: Run) -> None:
    """Raises UserError when too few of the held-out questions have a passage to be shown."""
    asked = [Example.from_row(row) for row in files.read_jsonl(run.stage("prepare") / "held_out.jsonl")]
    shown = sum(bool(example.context) for example in asked)
    if shown < FEWEST:
        raise UserError(
            f"{shown} of {len(asked)} held-out questions have a passage, too few for an experiment on the context; "
            "gather documents, or a data set with a context column"
        )
