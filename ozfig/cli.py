"""Verbs and flags: parses, calls, prints. Nothing else.

Heavy modules are imported inside the verbs, so that `ozfig --help` is instant.
"""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, validators

from ozfig import __version__, console
from ozfig.errors import OzfigError

if TYPE_CHECKING:
    from ozfig.recipe import Recipe
    from ozfig.runs import Run

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
# what to type after each stage
NEXT = {
    "gather": "prepare {run}/recipe.yaml",
    "prepare": "review {run}",
    "tune": "export {run}/recipe.yaml",
    "export": "evaluate {run}/recipe.yaml",
}
HELPED = {"run", *STAGE_VERBS, "plan", "serve"}

AT_LEAST_ONE = validators.Number(gte=1)
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object on standard output.")]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="Change a recipe value: section.key=value. Repeatable."),
]
Target = Annotated[
    str, Parameter(help="A recipe file, the name of a packaged recipe (demo), a URL, a folder or a data file.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """What every verb that works on a recipe takes."""

    settings: Settings = None
    base: Annotated[str, Parameter(help="The base model, instead of the recipe's; with --help: whose options.")] = ""
    runs: Annotated[Path | None, Parameter(help="The folder that holds the run folders. [default: runs]")] = None
    name: Annotated[str, Parameter(help="The run's folder name, instead of the recipe's.")] = ""
    refresh: Annotated[bool, Parameter(negative="", help="Ask the sources again, even when nothing changed.")] = False
    as_json: Json = False

    def open(self, target: str) -> tuple[Recipe, Run]:
        """The recipe of a target with the command line's changes, and its run.

        The recipe that lies in a run folder belongs to that run, wherever it is.
        """
        from ozfig import recipes
        from ozfig.runs import RECIPE, Run

        own = [f"{key}={value}" for key, value in (("base", self.base), ("name", self.name)) if value]
        recipe = recipes.find(target, [*(self.settings or []), *own])
        home = Path(target).parent
        in_run = Path(target).name == RECIPE and not self.runs and not self.name
        return recipe, Run(home if in_run else (self.runs or Path("runs")) / recipe.name)


@Parameter(name="*")
@dataclass(frozen=True)
class Changes:
    """What a person changes of a run's pairs."""

    drop: Annotated[list[str] | None, Parameter(negative="", help="Take the pair with this id out. Repeatable.")] = None
    restore: Annotated[list[str] | None, Parameter(negative="", help="Put the pair with this id back. Repeatable.")] = (
        None
    )
    edit: Annotated[str, Parameter(help="Change the pair with this id: see --question and --answer.")] = ""
    question: Annotated[str, Parameter(help="With --edit: the new question.")] = ""
    answer: Annotated[str, Parameter(help="With --edit: the new answer.")] = ""
    export_to: Annotated[Path | None, Parameter(name="--export", help="Write every pair to a CSV table.")] = None
    import_from: Annotated[Path | None, Parameter(name="--import", help="Take the changes of that table over.")] = None
    missing: Annotated[
        Literal["auto", "drop", "keep"], Parameter(help="--import: whether lines that are gone drop their pairs.")
    ] = "auto"


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
        _show_report(Path(found["report"]))
        console.say(f"  next    [bold]ozfig serve {run.folder}[/bold]")
        console.say("          then chat at http://127.0.0.1:8080")
    else:
        console.say(f"\n  next    [bold]ozfig {NEXT[until].format(run=run.folder)}[/bold]")


def _show_report(page: Path) -> None:
    """Print the short form of a report and where the page is."""
    from ozfig import registry

    console.table(*registry.find("report", "summary")(page.with_suffix(".json")))
    console.say(f"\n  report  {page}")


@app.command(sort_key=0)
def run(target: Target, *, options: Options = Options()) -> None:
    """Take a recipe, URL, folder or data file all the way to a measured assistant."""
    _execute(target, "evaluate", options)


def _stage_verb(stage: str) -> None:
    """Add a verb that runs the pipeline up to one stage."""

    def verb(target: Target, *, options: Options = Options()) -> None:
        _execute(target, stage, options)

    verb.__doc__ = f"{STAGE_VERBS[stage]}\n\nEarlier stages run first where they must."
    app.command(verb, name=stage, sort_key=_place(stage))


def _place(stage: str) -> int:
    return 1 + list(STAGE_VERBS).index(stage)


for _stage in STAGE_VERBS.keys() - {"tune"}:
    _stage_verb(_stage)


@app.command(sort_key=_place("tune"))
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


@app.command(sort_key=6)
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


@app.command(sort_key=7)
def review(
    target: Path,
    *,
    find: str = "",
    dropped: Annotated[bool, Parameter(negative="")] = False,
    flagged: Annotated[bool, Parameter(negative="")] = False,
    samples: Annotated[int, Parameter(validator=AT_LEAST_ONE)] = 5,
    changes: Changes = Changes(),
    as_json: Json = False,
) -> None:
    """Look at the pairs of a run: counts, samples, what was dropped and why; edit, drop and restore them.

    Parameters
    ----------
    target
        A run folder.
    find
        Show the pairs whose question, answer, id or reason holds this text.
    dropped
        Show what was taken out.
    flagged
        Show what was kept and should be looked at.
    samples
        How many pairs to show.
    """
    from ozfig import registry
    from ozfig.runs import Run

    found = registry.find("review", "pairs")(Run.open(target), changes)
    found.look(find, dropped, flagged, samples)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        found.show()


@app.command(sort_key=7)
def report(
    target: Path,
    *,
    open_page: Annotated[bool, Parameter(name="--open", negative="", help="Open the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a run measured.

    Parameters
    ----------
    target
        A run folder.
    """
    from ozfig.runs import Run

    page = Run.open(target).report
    if as_json:
        print(page.with_suffix(".json").read_text(encoding="utf-8"), end="")
    else:
        _show_report(page)
    if open_page:
        webbrowser.open(page.resolve().as_uri())


@app.command(sort_key=7)
def compare(
    first: Path,
    second: Path,
    /,
    *more: Path,
    out: Annotated[Path | None, Parameter(help="Where the page goes. [default: compare-A-B beside RUN_A]")] = None,
    as_json: Json = False,
) -> None:
    """Compare runs that were measured on the same held-out questions: which is better, and is it noise?

    Parameters
    ----------
    first
        A run folder.
    second
        Another one; differences are of this one minus the first.
    more
        Further ones.
    """
    from ozfig import registry

    _show_page(registry.find("compare", "runs")([first, second, *more], out), as_json)


experiment = App(
    name="experiment", help="Make runs that differ in one choice, and say what the choice did.", sort_key=9
)
app.command(experiment)


@experiment.command
def context(
    target: Target,
    *,
    out: Annotated[Path | None, Parameter(help="Where the page goes. [default: NAME-experiment in --runs]")] = None,
    options: Options = Options(),
) -> None:
    """Tune on questions alone and on questions with their passages, and measure both without and with them."""
    from ozfig import experiments

    recipe, run = options.open(target)
    _show_page(experiments.context(recipe, options.runs or run.folder.parent, out, options.refresh), options.as_json)


def _show_page(found: dict[str, str], as_json: bool) -> None:
    """Print what a page of several runs says, for scripts or for people."""
    if as_json:
        return print(json.dumps(found))
    console.say(f"\n  [bold]{found['verdict']}[/bold]\n\n  report  {found['report']}")
    return None


@app.command(sort_key=8)
def serve(
    *targets: str,
    host: str = "127.0.0.1",
    port: int = 8080,
    settings: Settings = None,
    database: Annotated[str, Parameter(help="SQLAlchemy URL or SQLite file of the stored chats.")] = "",
) -> None:
    """Serve models as an OpenAI-compatible API and a chat page; a folder of runs as its pages alone.

    Parameters
    ----------
    targets
        Run folders, .gguf files, GGUF files of the hub (owner/name, owner/name:Q4_K_M) or addresses
        (https://host/model.gguf#sha256=...; an OpenAI-compatible server: https://host/v1); the first one answers where
        no model is named. Or one folder of runs. Without any, what the variable OZFIG_MODEL names.
    host
        Address to listen on; anything but loopback needs OZFIG_API_KEY and OZFIG_PASSWORD.
    port
        Port to listen on.
    """
    from ozfig import pipeline, registry
    from ozfig.errors import UserError
    from ozfig.runs import runs_in

    targets = targets or tuple(os.environ.get("OZFIG_MODEL", "").split())
    if not targets:
        raise UserError("serve: name a run folder or a .gguf file, or set OZFIG_MODEL")
    if len(targets) == 1 and runs_in(Path(targets[0])):
        show = registry.find("server", "runs")
        return show(Path(targets[0]), host=host, port=port)  # type: ignore[no-any-return]
    found = pipeline.served(targets, settings)
    api = registry.find("server", "api")
    given = {"host": host, "port": port, "database": database}
    api(found.models, found.recipe, questions=found.questions, run=found.run, **given)
    return None


@app.command(sort_key=9)
def chat(target: str, *, settings: Settings = None) -> None:
    """Talk with a run or a GGUF file in the terminal.

    Ctrl-C stops an answer; /system TEXT sets the system text, /reset forgets the conversation, /quit leaves.

    Parameters
    ----------
    target
        A run folder or a .gguf file.
    """
    from ozfig import pipeline, registry

    found = pipeline.served([target], settings)
    registry.find("server", "chat")(found.model, found.recipe)


@app.command(sort_key=10)
def doctor(*, as_json: Json = False) -> None:
    """Say what this machine can do, and what to install where something is missing."""
    from ozfig import doctor

    found = doctor.examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in found]))
    else:
        doctor.show(found)


@app.command(sort_key=11)
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


@app.command(sort_key=10)
def publish(
    target: Path,
    *,
    to: str,
    yes: Annotated[bool, Parameter(negative="")] = False,
    private: Annotated[bool, Parameter(negative="")] = False,
    space: str = "",
    image: str = "",
    as_json: Json = False,
) -> None:
    """Upload a run's adapter, GGUF files and model card to the Hugging Face hub; only lists them without --yes.

    With --space it is a Docker Space that serves what --to holds, a second step.

    Parameters
    ----------
    target
        A run folder.
    to
        The hub's repository: user/name. It is made where it is missing; HF_TOKEN has to allow that.
    yes
        Really upload.
    private
        Make a missing repository private.
    space
        The Space to make instead: user/name.
    image
        Space: the container image that it starts, made by deploy/Dockerfile; OZFIG_IMAGE by default.
    """
    from ozfig import registry
    from ozfig.runs import Run

    run = Run.open(target)
    if space:
        found = registry.find("publish", "space")(run, to, space, image or os.environ.get("OZFIG_IMAGE", ""))
    else:
        found = registry.find("publish", "hub")(run, to)
    address = found.upload(private) if yes else ""
    if as_json:
        return print(json.dumps(found.to_json(address)))
    console.table(found.repository, ["file", "bytes"], [[name, f"{size:,}"] for name, size in found.rows()])
    console.say(f"\n  card    {found.card}")
    console.say(
        f"  [bold]{address}[/bold]" if yes else "  nothing was uploaded; read the card, then add [bold]--yes[/bold]"
    )
    return None


def _section_help(verb: str, base: str = "") -> None:
    """Print every recipe option that a verb obeys under its own help: its section's, or the recipe's top level.

    With a base, only what its head has a use for.
    """
    from ozfig.recipe import Recipe, Tune
    from ozfig.recipes import options

    title = "Options of the recipe"
    if verb in Recipe.model_fields:
        found = options(Recipe.model_fields[verb].annotation)  # type: ignore[arg-type]
        if verb == "tune" and base:
            from ozfig.engines.resolve import head_for

            head = head_for(base)
            found = [row for row in found if row[0] not in Tune.UNUSED[head]]
            title += f" for a {head} model"
        rows = [[f"--set {verb}.{key}=", default, meaning] for key, default, meaning in found]
    else:
        found = [row for row in options(Recipe) if "." not in row[0] and row[0] not in HELPED]
        rows = [[f"--set {key}=", default, meaning] for key, default, meaning in found]
    console.options_table(title, rows)


def _named(argv: list[str], flag: str) -> str:
    """The value that follows a flag, or that it holds after an equals sign; empty without one."""
    given = [b for a, b in pairwise(argv) if a == flag]
    return (given or [a.partition("=")[2] for a in argv if a.startswith(f"{flag}=")] or [""])[-1]


def main() -> None:
    """Entry point: turns every explained failure into one line and an exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # threads that wait must sleep: spinning ones slow a shared machine to a tenth
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    argv = sys.argv[1:]
    try:
        app(argv, exit_on_error=False, print_error=False, result_action="return_value")
        if argv and argv[0] in HELPED and {"--help", "-h"} & set(argv):
            _section_help(argv[0], _named(argv, "--base"))
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
