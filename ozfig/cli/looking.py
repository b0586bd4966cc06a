"""Verbs that look: at the pairs and the report of a run, at several runs, at the machine."""

from __future__ import annotations

import json
import webbrowser
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ozfig import console
from ozfig.cli.flags import AT_LEAST_ONE, Json, RunFolder


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


@Parameter(name="*")
@dataclass(frozen=True)
class Shown:
    """Which of a run's pairs are shown."""

    find: Annotated[str, Parameter(help="Show the pairs whose question, answer, id or reason holds this text.")] = ""
    dropped: Annotated[bool, Parameter(negative="", help="Show what was taken out.")] = False
    flagged: Annotated[bool, Parameter(negative="", help="Show what was kept and should be looked at.")] = False
    samples: Annotated[int, Parameter(help="How many pairs to show.", validator=AT_LEAST_ONE)] = 5


def review(target: RunFolder, *, shown: Shown = Shown(), changes: Changes = Changes(), as_json: Json = False) -> None:
    """Look at the pairs of a run: counts, samples, what was dropped and why; edit, drop and restore them."""
    from ozfig import registry
    from ozfig.runs import Run

    found = registry.find("review", "pairs")(Run.open(target), changes)
    found.look(shown.find, shown.dropped, shown.flagged, shown.samples)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        found.show()


def report(
    target: RunFolder,
    *,
    open_page: Annotated[bool, Parameter(name="--open", negative="", help="Open the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a run measured."""
    from ozfig.runs import Run

    page = Run.open(target).report
    if as_json:
        print(page.with_suffix(".json").read_text(encoding="utf-8"), end="")
    else:
        show_report(page)
    if open_page:
        webbrowser.open(page.resolve().as_uri())


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

    show_page(registry.find("compare", "runs")([first, second, *more], out), as_json)


def doctor(*, as_json: Json = False) -> None:
    """Say what this machine can do, and what to install where something is missing."""
    from ozfig import doctor

    found = doctor.examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in found]))
    else:
        doctor.show(found)


def show_report(page: Path) -> None:
    """Print the short form of a report and where the page is."""
    from ozfig import registry

    console.table(*registry.find("report", "summary")(page.with_suffix(".json")))
    console.say(f"\n  report  {page}")


def show_page(found: dict[str, str], as_json: bool) -> None:
    """Print what a page of several runs says, for scripts or for people."""
    if as_json:
        return print(json.dumps(found))
    console.say(f"\n  [bold]{found['verdict']}[/bold]\n\n  report  {found['report']}")
    return None
