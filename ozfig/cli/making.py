"""Verbs that make runs: all the way, up to one stage, several at once, and the embedded model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ozfig import console
from ozfig.cli.flags import AT_LEAST_ONE, Json, Options, Settings, Target
from ozfig.cli.looking import show_page, show_report

# what to type after each stage
NEXT = {
    "gather": "prepare {run}/recipe.yaml",
    "prepare": "review {run}",
    "tune": "export {run}/recipe.yaml",
    "export": "evaluate {run}/recipe.yaml",
}


def run(target: Target, *, options: Options = Options()) -> None:
    """Take a recipe, URL, folder or data file all the way to a measured assistant."""
    _execute(target, "evaluate", options)


def _stage_verb(stage: str, meaning: str) -> Callable[..., None]:
    """A verb that runs the pipeline up to one stage."""

    def verb(target: Target, *, options: Options = Options()) -> None:
        _execute(target, stage, options)

    verb.__name__ = stage
    verb.__doc__ = f"{meaning}\n\nEarlier stages run first where they must."
    return verb


gather = _stage_verb("gather", "Gather documents and examples from the recipe's sources.")
prepare = _stage_verb("prepare", "Make, clean and split question-answer pairs.")
export = _stage_verb("export", "Merge and write the quantised GGUF file.")
evaluate = _stage_verb("evaluate", "Measure base, tuned and quantised model and write the report.")


def tune(
    target: Target,
    *,
    show_tokens: Annotated[
        int | None,
        Parameter(help="Train nothing; print so many rows and what of them is trained on.", validator=AT_LEAST_ONE),
    ] = None,
    processes: Annotated[
        int | None, Parameter(help="Train in so many processes, as tune.processes says.", validator=AT_LEAST_ONE)
    ] = None,
    options: Options = Options(),
) -> None:
    """Fine-tune the base model.

    Earlier stages run first where they must.
    """
    if processes:
        options = replace(options, settings=[*(options.settings or []), f"tune.processes={processes}"])
    if not show_tokens:
        return _execute(target, "tune", options)
    from ozfig import pipeline

    rows = pipeline.shown_tokens(*options.open(target), show_tokens)
    if options.as_json:
        return print(json.dumps(rows))
    for row in rows:
        console.tokens(row)
    return None


def plan(
    target: Target,
    *,
    calibrate: Annotated[bool, Parameter(help="Time a few steps of training, once a machine and model.")] = True,
    options: Options = Options(),
) -> None:
    """Say which stages would run, why, and what they will take in time, memory and disk, before anything starts."""
    from ozfig import pipeline
    from ozfig.forecast import book

    recipe, run = options.open(target)
    rows = pipeline.plan(recipe, run, refresh=options.refresh)
    found = book.forecast(recipe, run, calibrate)
    if options.as_json:
        stages = [{**row, **({"estimate": found[row["stage"]]} if row["stage"] in found else {})} for row in rows]
        return print(json.dumps({"run": str(run.folder), "stages": stages}))
    cells = [[r["stage"], r["status"], r["why"], *console.amounts(found.get(r["stage"]))] for r in rows]
    console.table(str(run.folder), ["stage", "", "why", "time", "memory", "disk"], cells)
    if found:
        return console.note(f"tune: {found['tune']['basis']}; export and evaluate: {found['evaluate']['basis']}")
    return console.note("the base is not on this disk; what it will take can be said after its first download")


def context(
    target: Target,
    *,
    out: Annotated[Path | None, Parameter(help="Where the page goes. [default: NAME-experiment in --runs]")] = None,
    options: Options = Options(),
) -> None:
    """Tune on questions alone and on questions with their passages, and measure both without and with them."""
    from ozfig import experiments

    recipe, run = options.open(target)
    show_page(experiments.context(recipe, options.runs or run.folder.parent, out, options.refresh), options.as_json)


def pretrain(
    recipe: Path,
    *,
    settings: Settings = None,
    runs: Annotated[Path, Parameter(help="The folder in which the model's folder is made.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Train a small language model from scratch: how the embedded model pebble is made.

    Parameters
    ----------
    recipe
        A pre-training recipe, such as recipes/pebble.yaml.
    """
    from ozfig import pipeline
    from ozfig.recipe import Pretrain
    from ozfig.recipes import load

    result = pipeline.pretrain(load(Pretrain, recipe, settings), runs)
    if as_json:
        print(json.dumps(result))
    else:
        console.say(f"  model  {result['model']}   {result['bits_per_byte']:.3f} bits per byte")


def _execute(target: str, until: str, options: Options) -> None:
    """Run the stages up to `until`, one line each, and print the result for scripts or for people."""
    from ozfig import pipeline

    recipe, run = options.open(target)
    pipeline.check(recipe)
    console.say(f"[bold]{recipe.name}[/bold]  base {recipe.base}  seed {recipe.seed}  [dim]{run.folder}[/dim]")
    result = pipeline.execute(recipe, run, until, options.refresh, announce=console.stage_line)
    found = result.to_json()
    if options.as_json:
        print(json.dumps(found))
    elif until == "evaluate" and found["report"]:
        show_report(Path(found["report"]))
        console.say(f"  next    [bold]ozfig serve {run.folder}[/bold]")
        console.say("          then chat at http://127.0.0.1:8080")
    else:
        console.say(f"\n  next    [bold]ozfig {NEXT[until].format(run=run.folder)}[/bold]")
