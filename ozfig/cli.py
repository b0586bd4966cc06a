"""Verbs and flags: parses, calls, prints. Nothing else.

Heavy modules are imported inside the verbs, so that `ozfig --help` is instant.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from ozfig import __version__, console
from ozfig.errors import OzfigError

if TYPE_CHECKING:
    from ozfig.recipe import Recipe

app = App(
    name="ozfig",
    help="From a website, documents or a data set to a measured assistant, in one command.",
    version=__version__,
    help_epilogue="Start with: ozfig run demo",
)

STAGE_VERBS = {
    "gather": "Gather documents and examples from the recipe's sources.",
    "prepare": "Make, clean and split question-answer pairs.",
    "tune": "Fine-tune the base model.",
    "export": "Merge and write the quantised GGUF file.",
    "evaluate": "Measure base, tuned and quantised model and write the report.",
}
TARGET = "A recipe file, the name of a packaged recipe (demo), a URL, a folder or a data file."

Settings = Annotated[
    list[str], Parameter(name="--set", negative="", help="Change a recipe value: section.key=value. Repeatable.")
]
Runs = Annotated[Path, Parameter(help="The folder that holds the run folders.")]
Name = Annotated[str, Parameter(help="The run's folder name, instead of the recipe's.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object on standard output.")]
Refresh = Annotated[bool, Parameter(negative="", help="Ask the sources again, even when nothing changed.")]


def _recipe(target: str, settings: list[str] | None, name: str) -> Recipe:
    """The recipe of a target with the command line's changes."""
    from ozfig import recipe

    return recipe.find(target, [*(settings or []), *([f"name={name}"] if name else [])])


def _execute(target: str, until: str, settings: list[str] | None, runs: Path, name: str, refresh: bool) -> Any:
    """Run the stages up to `until`, one line each."""
    from ozfig import pipeline
    from ozfig.runs import Run

    recipe = _recipe(target, settings, name)
    run = Run(runs / recipe.name)
    pipeline.check(recipe)
    console.say(f"[bold]{recipe.name}[/bold]  base {recipe.base}  seed {recipe.seed}  [dim]{run.folder}[/dim]")
    return pipeline.execute(recipe, run, until, refresh, announce=console.stage_line)


def _finish(result: Any, as_json: bool) -> None:
    """Print the result for scripts or for people."""
    if as_json:
        print(json.dumps(result.to_json()))
        return
    report = result.to_json()["report"]
    if report:
        from ozfig import registry

        summary = registry.find("report", "summary")(result.run / "evaluate" / "report.json")
        console.table(*summary)
        console.say(
            f"\n  report  {report}\n  next    [bold]ozfig serve {result.run}[/bold]   then open http://127.0.0.1:8080"
        )


@app.command(sort_key=0)
def run(
    target: str,
    *,
    settings: Settings | None = None,
    runs: Runs = Path("runs"),
    name: Name = "",
    refresh: Refresh = False,
    as_json: Json = False,
) -> None:
    """Take a recipe, URL, folder or data file all the way to a measured assistant.

    Parameters
    ----------
    target
        A recipe file, the name of a packaged recipe (demo), a URL, a folder or a data file.
    """
    _finish(_execute(target, "evaluate", settings, runs, name, refresh), as_json)


def _stage_verb(stage: str, summary: str) -> None:
    """Add a verb that runs the pipeline up to one stage."""

    def verb(
        target: str,
        *,
        settings: Settings | None = None,
        runs: Runs = Path("runs"),
        name: Name = "",
        refresh: Refresh = False,
        as_json: Json = False,
    ) -> None:
        _finish(_execute(target, stage, settings, runs, name, refresh), as_json)

    verb.__doc__ = f"""{summary}

    Earlier stages run first where they must.

    Parameters
    ----------
    target
        {TARGET}
    """
    app.command(verb, name=stage, sort_key=1 + list(STAGE_VERBS).index(stage))


for _stage, _summary in STAGE_VERBS.items():
    _stage_verb(_stage, _summary)


@app.command(sort_key=6)
def plan(
    target: str,
    *,
    settings: Settings | None = None,
    runs: Runs = Path("runs"),
    name: Name = "",
    refresh: Refresh = False,
    as_json: Json = False,
) -> None:
    """Say which stages would run, and why, before anything starts.

    Parameters
    ----------
    target
        A recipe file, the name of a packaged recipe (demo), a URL, a folder or a data file.
    """
    from ozfig import pipeline
    from ozfig.runs import Run

    recipe = _recipe(target, settings, name)
    rows = pipeline.plan(recipe, Run(runs / recipe.name), refresh=refresh)
    if as_json:
        print(json.dumps({"run": str(runs / recipe.name), "stages": rows}))
    else:
        console.table(
            f"{runs / recipe.name}", ["stage", "", "why"], [[r["stage"], r["status"], r["why"]] for r in rows]
        )


@app.command(sort_key=7)
def serve(
    target: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    database: Annotated[str, Parameter(help="SQLAlchemy URL or SQLite file of the stored chats.")] = "",
) -> None:
    """Serve a run or a GGUF file as an OpenAI-compatible API and a chat page.

    Parameters
    ----------
    target
        A run folder or a .gguf file.
    host
        Address to listen on; anything but loopback needs OZFIG_API_KEY.
    port
        Port to listen on.
    """
    from ozfig import pipeline, registry

    found = pipeline.served(target)
    api = registry.find("server", "api")
    api(found.model, found.recipe, host=host, port=port, database=database, questions=found.questions)


@app.command(sort_key=8)
def pretrain(
    recipe: Path, *, settings: Settings | None = None, runs: Runs = Path("runs"), as_json: Json = False
) -> None:
    """Train a small language model from scratch: how the embedded model pebble is made.

    Parameters
    ----------
    recipe
        A pre-training recipe, such as recipes/pebble.yaml.
    """
    from ozfig import pipeline
    from ozfig.recipe import Pretrain, load

    result = pipeline.pretrain(load(Pretrain, recipe, settings), runs)
    if as_json:
        print(json.dumps(result))
    else:
        console.say(f"  model  {result['model']}   {result['bits_per_byte']:.3f} bits per byte")


def _section_help(stage: str) -> None:
    """Print every option of a stage's recipe section under the verb's own help."""
    from ozfig.recipe import Recipe, options

    section = Recipe.model_fields[stage].annotation
    rows = [[f"--set {stage}.{key}=", default, meaning] for key, default, meaning in options(section)]  # type: ignore[arg-type]
    console.options_table(f"Options of the recipe's section {stage}", rows)


def main() -> None:
    """Entry point: turns every explained failure into one line and an exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # threads that wait must sleep: spinning ones slow a shared machine to a tenth
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    argv = sys.argv[1:]
    try:
        app(argv, exit_on_error=False, print_error=False, result_action="return_value")
        if argv and argv[0] in STAGE_VERBS and {"--help", "-h"} & set(argv):
            _section_help(argv[0])
    except CycloptsError as error:
        console.fail(" ".join(str(error).split()))
        sys.exit(2)
    except OzfigError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.say("stopped; the same command continues where it was")
        sys.exit(130)


if __name__ == "__main__":
    main()
