"""`ozfig experiment context`: tuned without and with the passage, asked without and with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ozfig.evaluate import panels, results
from ozfig.evaluate.figures import CONDITIONS, Figures, outcome
from ozfig.evaluate.joined import words
from ozfig.evaluate.joined.join import Joined, join
from ozfig.evaluate.joined.member import Member
from ozfig.evaluate.joined.page import Page, Step, write
from ozfig.evaluate.results import CLOSED, GOLD

QUESTION, CONTEXT = "question", "context"
ARM = {QUESTION: "tuned on questions", CONTEXT: "tuned on passages"}
BASE = "base"
LEGEND = "Tuned on questions: question → answer. Tuned on passages: question and passage → answer."
# what the second arm is against the first one, closed book and with the passage
HEADLINES = {
    ("noise", "noise"): "Tuned with the passage or without it: no measurable difference.",
    ("noise", "better"): "Tune with the passage: better where it is shown, level without it.",
    ("noise", "worse"): "Tune without the passage: better even where it is shown, level closed book.",
    ("better", "noise"): "Tune with the passage: better closed book, level where it is shown.",
    ("better", "better"): "Tune with the passage: it wins with and without it.",
    ("better", "worse"): "Tune against the way it will be asked: each wins where it was not tuned.",
    ("worse", "noise"): "Tune without the passage: better closed book, level where it is shown.",
    ("worse", "better"): "Tune as it will be asked: each wins where it was tuned.",
    ("worse", "worse"): "Tune without the passage: it wins with and without it.",
}
# the same by the likelihood of the right answers, where the replies show nothing
LIKELIHOODS = {
    ("noise", "noise"): "Tuned with the passage or without it: no measurable difference.",
    ("worse", "better"): "The replies do not differ; the right answers are likelier where a model was tuned.",
    ("better", "worse"): "The replies do not differ; the right answers are likelier where a model was not tuned.",
    **dict.fromkeys(
        [("noise", "better"), ("better", "noise"), ("better", "better")],
        "The replies do not differ; tuned with the passage, the right answers are likelier.",
    ),
    **dict.fromkeys(
        [("noise", "worse"), ("worse", "noise"), ("worse", "worse")],
        "The replies do not differ; tuned without the passage, the right answers are likelier.",
    ),
}
ALONE = {
    "better": "Tuned with the passage it answers better; without one it cannot be asked.",
    "worse": "Tuned with the passage it answers worse; without one it cannot be asked.",
    "noise": "Tuned with the passage it answers no better; without one it cannot be asked.",
}
UNTUNED = "cannot be tuned or asked without the text"


def write_context(runs: Mapping[str, Path], folder: Path, name: str, command: str) -> dict[str, Any]:
    """Write experiment.html, .md, .svg and .json from the arms' runs; returns what `--json` prints."""
    first = next(iter(runs.values()))
    members = [
        Member(BASE, first, "base", first.name),
        *(Member(ARM[arm], run, "tuned", run.name) for arm, run in runs.items()),
    ]
    question, context = ARM[QUESTION], ARM[CONTEXT]
    both = QUESTION in runs
    steps: list[Step] = [*([(question, context), (BASE, question)] if both else []), (BASE, context)]
    joined = join(members, steps, [((m.name, CLOSED), (m.name, GOLD)) for m in members])
    figures = Figures(joined.report)
    page = Page(
        name=f"{name}: tuned with and without the passage",
        joined=joined,
        steps=steps,
        headline=headline(figures),
        sentences=words.replies(figures, *steps[0], called=_called) + words.likelihood(figures, *steps[0], _called),
        command=command,
        conclusions=_conclusions(figures),
        heat=_heat(joined, figures),
    )
    return write(page, folder, "experiment")


def headline(figures: Figures) -> str:
    """Which way of tuning wins, asked either way: by the replies, or by likelihood where those show nothing."""
    closed, gold = (_outcome(figures, condition, figures.primary) for condition in (CLOSED, GOLD))
    if gold is None:
        return ALONE[outcome(figures.compare(BASE, ARM[CONTEXT], GOLD, figures.primary)) or "noise"]
    if (closed, gold) == ("noise", "noise"):
        likelier = (_outcome(figures, condition, "answer_loss") or "noise" for condition in (CLOSED, GOLD))
        return LIKELIHOODS[next(likelier), next(likelier)]
    return HEADLINES[closed or "noise", gold]


def _outcome(figures: Figures, condition: str, metric: str) -> str | None:
    """What the second arm is against the first one."""
    return outcome(figures.compare(ARM[QUESTION], ARM[CONTEXT], condition, metric))


def _conclusions(figures: Figures) -> list[str]:
    """What tuning brought, and what the passage brings."""
    found, metric = [LEGEND], figures.primary
    for arm in ARM.values():
        for condition in (CLOSED, GOLD):
            if compared := figures.compare(BASE, arm, condition, metric):
                than = words.in_words(compared, "better than", "worse than", "level with")
                asked = words.first(CONDITIONS[condition])
                found.append(f"{asked}, {_called(arm)} is {than} the base: {words.change(compared)}.")
    found += [
        f"Shown the passage, {_called(name)} changes by {words.change(compared)}."
        for name in figures.points
        if (compared := figures.across((name, CLOSED), (name, GOLD), metric))
    ]
    return found


def _called(name: str) -> str:
    return "the base" if name == BASE else f"the model {name}"


def _heat(joined: Joined, figures: Figures) -> dict[str, Any]:
    """The table of arms by condition, with a row for an arm that there cannot be."""
    points = [BASE, *ARM.values()]
    documents = results.documents(joined.items)
    found = panels.heat(joined.samples, figures.primary, points, (CLOSED, GOLD), documents)
    for row in found.get("rows", ()):
        if not any(row["cells"]):
            row["none"] = UNTUNED
    return found
