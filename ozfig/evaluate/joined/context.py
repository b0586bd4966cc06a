"""`ozfig experiment context`: tuned without and with the passage, asked without and with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ozfig.evaluate import panels, results
from ozfig.evaluate.figures import CONDITIONS, Figures, in_sentence, outcome
from ozfig.evaluate.joined import words
from ozfig.evaluate.joined.join import Joined, join
from ozfig.evaluate.joined.member import Member
from ozfig.evaluate.joined.page import Page, Step, write
from ozfig.evaluate.results import CLOSED, GOLD

QUESTION, CONTEXT = "question", "context"
ARM = {QUESTION: "tuned on question → answer", CONTEXT: "tuned on question + passage → answer"}
BASE = "base"
# what the second arm is against the first one, closed book and with the passage
HEADLINES = {
    ("noise", "noise"): "Tuning with the passage or without it: no measurable difference.",
    ("noise", "better"): "Tune with the passage: better where it is shown, level without it.",
    ("noise", "worse"): "Tune without the passage: better even where it is shown, level closed book.",
    ("better", "noise"): "Tune with the passage: better closed book, level where it is shown.",
    ("better", "better"): "Tune with the passage: it wins with and without it.",
    ("better", "worse"): "Tune against the way it will be asked: each wins where it was not tuned.",
    ("worse", "noise"): "Tune without the passage: better closed book, level where it is shown.",
    ("worse", "better"): "Tune as it will be asked: each wins where it was tuned.",
    ("worse", "worse"): "Tune without the passage: it wins with and without it.",
}
ALONE = {
    "better": "Tuned with the passage it answers better; without one it cannot be asked.",
    "worse": "Tuned with the passage it answers worse; without one it cannot be asked.",
    "noise": "Tuned with the passage it answers no better; without one it cannot be asked.",
}
UNTUNED = "cannot be tuned or asked without the text"


def write_context(runs: Mapping[str, Path], folder: Path, name: str) -> dict[str, Any]:
    """Write experiment.html, .md, .svg and .json from the arms' runs; returns what `--json` prints."""
    first = next(iter(runs.values()))
    members = [
        Member(BASE, first, "base", first.name),
        *(Member(ARM[arm], run, "tuned", run.name) for arm, run in runs.items()),
    ]
    question, context = ARM[QUESTION], ARM[CONTEXT]
    both = QUESTION in runs
    steps: list[Step] = [*([(question, context), (BASE, question)] if both else []), (BASE, context)]
    across = [((m.name, CLOSED), (m.name, GOLD)) for m in members]
    joined = join(members, steps, [*across, ((question, CLOSED), (context, GOLD))])
    figures = Figures(joined.report)
    page = Page(
        name=f"{name}: tuning with and without the passage",
        joined=joined,
        steps=steps,
        headline=headline(figures),
        sentences=_sentences(figures, steps),
        command=f"ozfig experiment context {first}/recipe.yaml --set name={name}",
        conclusions=_conclusions(figures),
        heat=_heat(joined, figures),
    )
    return write(page, folder, "experiment")


def headline(figures: Figures) -> str:
    """Which way of tuning wins, asked either way."""
    closed, gold = (outcome(figures.compare(ARM[QUESTION], ARM[CONTEXT], c, figures.primary)) for c in (CLOSED, GOLD))
    if gold is None:
        return ALONE[outcome(figures.compare(BASE, ARM[CONTEXT], GOLD, figures.primary)) or "noise"]
    return HEADLINES[closed or "noise", gold]


def _sentences(figures: Figures, steps: list[Step]) -> list[str]:
    return [line for a, b in steps[:1] for line in words.replies(figures, a, b)]


def _conclusions(figures: Figures) -> list[str]:
    """What tuning brought, what the passage brings, and the best of the cells."""
    found, metric = [], figures.primary
    for arm in ARM.values():
        for condition in (CLOSED, GOLD):
            if compared := figures.compare(BASE, arm, condition, metric):
                verb = words.in_words(compared, "gains", "loses", "moves")
                found.append(f"{_first(CONDITIONS[condition])}, {arm} it {verb} {words.change(compared)} on the base.")
    for name in figures.points:
        if compared := figures.across((name, CLOSED), (name, GOLD), metric):
            found.append(f"Shown the passage, the model {_called(name)} changes by {words.change(compared)}.")
    cells = {(p, c): s for p in figures.points for c in (CLOSED, GOLD) if (s := figures.score(p, c, metric))}
    (point, condition), best = max(cells.items(), key=lambda cell: cell[1].mean)
    asked = f"{_called(point)}, {CONDITIONS[condition]}"
    return [*found, f"The highest {in_sentence(metric)} of all cells is **{figures.mean(best)}**: {asked}."]


def _called(name: str) -> str:
    return "before tuning" if name == BASE else name


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _heat(joined: Joined, figures: Figures) -> dict[str, Any]:
    """The table of arms by condition, with a row for an arm that there cannot be."""
    points = [BASE, *ARM.values()]
    documents = results.documents(joined.items)
    found = panels.heat(joined.samples, figures.primary, points, (CLOSED, GOLD), documents)
    for row in found.get("rows", ()):
        if not any(row["cells"]):
            row["none"] = UNTUNED
    return found
