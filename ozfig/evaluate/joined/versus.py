"""`ozfig compare`: runs that were measured on the same held-out questions, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.errors import UserError
from ozfig.evaluate import panels, results
from ozfig.evaluate.figures import CONDITIONS, Figures, outcome
from ozfig.evaluate.joined import words
from ozfig.evaluate.joined.join import Joined, join
from ozfig.evaluate.joined.member import Member
from ozfig.evaluate.joined.page import Page, Step, write
from ozfig.evaluate.results import CLOSED
from ozfig.runs import Run
from ozfig.types import Sample

POINTS = ("tuned", "quantised")


def compare(folders: Sequence[Path], out: Path | None = None) -> dict[str, Any]:
    """Write versus.html, versus.md, versus.svg and compare.json about two runs or more.

    They go to `out`, by default `compare-A-B` beside the first run: it belongs to none of them alone. Raises
    UserError when a folder is no run or has not been measured, or the runs cannot be compared.
    """
    for folder in folders:
        Run.open(folder).report  # noqa: B018 - raises where nothing was measured
    names = _names(folders)
    members = _members(dict(zip(names, folders, strict=True)))
    steps = _steps(members)
    cells = [
        ((m.name, CLOSED), (m.name, given))
        for given in (results.RETRIEVED, results.GOLD)
        for m in members
        if m.point in ("base", "tuned")
    ]
    joined = join(members, steps, cells)
    figures = Figures(joined.report)
    if not figures.primary or figures.compare(*steps[0], figures.condition, figures.primary) is None:
        raise UserError("the runs have no metric in common; evaluate both with the same evaluate.metrics")
    page = Page(
        name=f"{' against '.join(names)}" if len(names) == 2 else ", ".join(names),
        joined=joined,
        steps=steps,
        headline=_headline(figures, [s for s in steps if s[0] in names and s[1] in names], names),
        sentences=_sentences(figures, steps, names),
        command=f"ozfig compare {' '.join(map(str, folders))}",
        heat=_heat(joined, members, figures.primary),
    )
    return write(page, out or folders[0].parent / f"compare-{'-'.join(names)}", "versus", "compare")


def _names(folders: Sequence[Path]) -> list[str]:
    """The runs' names: their folders', with the folder above where two are alike. Raises UserError for one twice."""
    real = [folder.resolve() for folder in folders]
    if twice := next((folder for i, folder in enumerate(real) if folder in real[:i]), None):
        raise UserError(f"{twice}: given twice; name different runs")
    short = [folder.name for folder in real]
    return short if len(set(short)) == len(short) else [f"{folder.parent.name}.{folder.name}" for folder in real]


def _members(runs: dict[str, Path]) -> list[Member]:
    """The models: the bases, one where all runs have the same, then what each run made that all have."""
    said = {name: list(files.read_jsonl(run / "evaluate" / "samples.jsonl")) for name, run in runs.items()}
    points = [{row["model"] for row in rows} for rows in said.values()]
    made = [point for point in POINTS if all(point in found for found in points)]
    bases = {name: _base(said[name], run) for name, run in runs.items()} if all("base" in f for f in points) else {}
    if len(set(bases.values())) == 1:
        found = [Member("base", run, "base", name) for name, run in list(runs.items())[:1]]
    else:
        found = [Member(f"{name} base", runs[name], "base", name) for name in bases]
    for point in made:
        main = point == made[0]
        found += [Member(name if main else f"{name} {point}", run, point, name) for name, run in runs.items()]
    if not made:
        raise UserError("the runs have no tuned or quantised model measured in all of them; see evaluate.points")
    return found


def _base(rows: Sequence[dict[str, Any]], run: Path) -> str:
    """What the base of a run is known by: its weights, and what it was asked."""
    own = [Sample.from_row(row) for row in rows if row["model"] == "base"]
    model = files.read_json(run / "evaluate" / "report.json")["versions"]["models"].get("base", "")
    asked = [[s.condition, s.item, [m.to_row() for m in s.prompt]] for s in own]
    return files.sha256_value([model, asked])


def _steps(members: Sequence[Member]) -> list[Step]:
    """What to compare: each point between the runs, then each run's main model with its base."""
    made = [m for m in members if m.point != "base"]
    bases = {m.run: m.name for m in members if m.point == "base"}
    shared = next(iter(bases.values())) if len(bases) == 1 else ""
    between = [(a.name, b.name) for a, b in combinations(made, 2) if a.point == b.point]
    if len(bases) > 1:
        between += list(combinations(bases.values(), 2))
    tuned = [m for m in made if m.point == made[0].point]
    return between + [(base, m.name) for m in tuned if (base := bases.get(m.run, shared))]


def _heat(joined: Joined, members: Sequence[Member], metric: str) -> dict[str, Any]:
    """The table of models by condition, without the exported files."""
    shown = [m.name for m in members if m.point in ("base", "tuned")]
    return panels.heat(joined.samples, metric, shown, documents=results.documents(joined.items)) if shown else {}


def _headline(figures: Figures, steps: Sequence[Step], names: Sequence[str]) -> str:
    """Which run answers better, and whether that holds however they are asked."""
    if len(names) > 2:
        return _best(figures, steps, names)
    a, b = names
    won = {
        condition: {"better": b, "worse": a, "noise": ""}[outcome(compared) or "noise"]
        for condition in figures.conditions
        if (compared := figures.compare(a, b, condition, figures.primary))
    }
    main = won[figures.condition]
    others = [
        f"{CONDITIONS.get(c, c)} {'it is ' + who if who else 'they are level'}" for c, who in won.items() if who != main
    ]
    first = f"{main} answers better" if main else f"{a} and {b} are level"
    asked = f" {CONDITIONS.get(figures.condition, figures.condition)}" if others else ""
    return f"{first}{asked}{'; ' + ', '.join(others) if others else ''}."


def _best(figures: Figures, steps: Sequence[Step], names: Sequence[str]) -> str:
    """The run that beats every other one beyond noise, if there is one."""
    beaten: dict[str, set[str]] = {name: set() for name in names}
    for a, b in steps:
        found = outcome(figures.compare(a, b, figures.condition, figures.primary))
        if found in ("better", "worse"):
            winner, loser = (b, a) if found == "better" else (a, b)
            beaten[winner].add(loser)
    best = next((name for name, losers in beaten.items() if len(losers) == len(names) - 1), "")
    return f"{best} answers best of {len(names)} runs." if best else f"None of {len(names)} runs is clearly the best."


def _sentences(figures: Figures, steps: Sequence[Step], names: Sequence[str]) -> list[str]:
    """The runs against each other; for two also under every condition and by likelihood."""
    between = [s for s in steps if s[0] in names and s[1] in names]
    if len(names) > 2:
        return [line for a, b in between for line in words.replies(figures, a, b, [figures.condition])]
    a, b = between[0]
    return words.replies(figures, a, b) + words.likelihood(figures, a, b)
