"""The parts of the page as plain values: each function is one panel, and the template only lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ozfig.evaluate import evidence
from ozfig.evaluate import figures as f
from ozfig.evaluate.evidence import Evidence
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.results import CLOSED, GOLD, LOWER_IS_BETTER, NEUTRAL, RETRIEVED, STEPS, Plan, Table
from ozfig.evaluate.statistics import Z95, mean_and_stderr
from ozfig.pages import charts
from ozfig.types import Comparison, Example, Sample

UNASKED = "cannot be asked without the text"


@dataclass(frozen=True)
class Story:
    """All that the page tells: the report, the questions with every reply, the benchmarks' samples, the evidence."""

    report: dict[str, Any]
    items: list[Example]
    samples: list[Sample]
    evidence: Evidence
    run: str
    task_samples: Sequence[dict[str, Any]] = ()


def names(story: Story) -> dict[str, str]:
    """What the points are called on the page: the quantised one by its type, further ones as in the report."""
    measured = {row["model"]: row["model"] for row in story.report["scores"]}
    return measured | {"base": "base", "tuned": "tuned", "quantised": story.evidence.quantised or "quantised"}


def facts(story: Story, found: Figures, names: dict[str, str]) -> list[dict[str, str]]:
    """The row of figures under the verdict."""
    metric, condition, shown = found.primary, found.condition, []
    if change := found.compare("base", "tuned", condition, metric):
        value = found.mean(found.score("tuned", condition, metric))
        shown.append(_fact(f"{f.label(metric)}, tuned", value, change, f.difference(change)))
    if (change := found.compare("base", "tuned", condition, "perplexity")) and "perplexity" in found.metrics:
        value = found.mean(found.score("tuned", condition, "perplexity"))
        shown.append(_fact("Perplexity, tuned", value, change, f"{f.difference(change)} nats"))
    if change := found.compare("tuned", "quantised", condition, metric):
        shown.append(_fact(f"{names['quantised']} against tuned", f.difference(change), change))
    if change := found.across(("tuned", CLOSED), ("tuned", found.given), metric):
        value = found.mean(found.score("tuned", found.given, metric))
        shown.append(_fact(f"Tuned, {f.CONDITIONS[found.given]}", value, change, f.difference(change)))
    if story.evidence.train:
        leaks = sum(evidence.is_leak(d.reason) for d in story.evidence.dropped)
        kept = f"{len(story.evidence.train):,} pairs kept"
        blank = {"change": "", "outcome": "", "word": "", "n": ""}
        shown.append({"name": "Leaks taken out", "value": f"{leaks:,}", "interval": kept, **blank})
    return shown


def _fact(name: str, value: str, change: Comparison, shown: str = "") -> dict[str, str]:
    """A figure with its paired difference."""
    return {**change_of(change), "name": name, "value": value, "change": shown, "n": f"n {change.n:,}"}


@dataclass(frozen=True)
class View:
    """How points are shown: what they are called, which are compared, and in whose colour they are drawn."""

    names: Mapping[str, str]
    steps: Sequence[tuple[str, str]] = (("base", "tuned"), ("tuned", "quantised"))
    colours: Mapping[str, str] = field(default_factory=dict)


def groups(found: Figures, view: View, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One group of charts for each condition; a metric has the same axis in all of them."""
    groups = []
    for condition in found.conditions:
        shown = [_chart(found, view, metric, condition) for metric in metrics]
        title = f.CONDITIONS.get(condition, condition)
        n = max((s.n for m in metrics for p in found.points if (s := found.score(p, condition, m))), default=0)
        groups.append({"title": title[0].upper() + title[1:], "n": n, "charts": shown})
    return groups if metrics else []


def _chart(found: Figures, view: View, metric: str, condition: str) -> dict[str, Any]:
    """The bars of one metric under one condition, and the paired differences below them."""
    everywhere = [s for p in found.points for c in found.conditions if (s := found.score(p, c, metric))]
    top = charts.nice_top(max(s.mean + Z95 * s.stderr for s in everywhere))
    top = min(top, 1.0) if metric in f.UP_TO_ONE else top
    rows = []
    for point in found.points:
        if score := found.score(point, condition, metric):
            low, high = score.mean - Z95 * score.stderr, score.mean + Z95 * score.stderr
            rows.append(
                {
                    "name": view.names.get(point, point),
                    "bar": charts.bar(score.mean, low, high, top, view.colours.get(point, point)),
                    "mean": found.mean(score),
                    "margin": found.margin(score),
                }
            )
    changes = [
        {"name": f"{view.names[b]} {f.MINUS} {view.names[a]}", **change_of(change, metric)}
        for a, b in view.steps
        if (change := found.compare(a, b, condition, metric))
    ]
    lower = metric in LOWER_IS_BETTER
    return {"label": f.label(metric), "lower": lower, "rows": rows, "changes": changes, "top": f"{top:,g}"}


def change_of(change: Comparison, metric: str = "") -> dict[str, str]:
    """A paired difference as the page shows it; of perplexity, in nats."""
    return {
        "text": f"{f.difference(change)}{' nats' if metric == 'perplexity' else ''}",
        "interval": f.interval(change),
        "outcome": f.outcome(change) or "noise",
        "word": unclear(change),
    }


def unclear(change: Comparison) -> str:
    """The word that stands beside a difference that shows nothing."""
    return f.word(change) if f.word(change) in ("noise", "identical") and change.metric not in NEUTRAL else ""


def heat(
    samples: Sequence[Sample],
    metric: str,
    points: Sequence[str] = ("base", "tuned"),
    columns: Sequence[str] = (),
    documents: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Models without and with text, over the questions that all cells were asked; empty without such.

    `columns` are the conditions, by default those that were asked. A cell that could not be asked, as an extractive
    model's closed-book one, holds None. `documents` names what each question is about, for the errors.
    """
    table, plan = Table(samples), Plan(documents=documents or {})
    columns = columns or [c for c in (CLOSED, RETRIEVED, GOLD) if any((point, c) in table.cells for point in points)]
    cells = [(point, c) for point in points for c in columns if (point, c) in table.cells]
    items = table.shared(*cells) if cells else []
    if len(items) < 2 or len(columns) < 2:
        return {}
    found = {cell: mean_and_stderr(table.values(cell, metric, items), plan.clusters(items)) for cell in cells}
    digits = f.decimals(max(stderr for _, stderr in found.values()))
    # small scores stay pale, so that noise does not look like a pattern
    top = max(0.25, *(mean for mean, _ in found.values()))
    shown = {cell: _heat_cell(mean, stderr, digits, top) for cell, (mean, stderr) in found.items()}
    rows = [{"point": p, "cells": [shown.get((p, c)) for c in columns], "none": UNASKED} for p in points]
    return {"rows": rows, "n": len(items), "columns": [f.CONDITIONS[c] for c in columns]}


def _heat_cell(mean: float, stderr: float, digits: int, top: float) -> dict[str, Any]:
    return {
        "mean": f.number(mean, digits),
        "margin": f"± {f.number(Z95 * stderr, digits)}",
        "shade": round(5 + 35 * max(mean, 0) / top),
    }


def versions(story: Story) -> list[tuple[str, str]]:
    """Versions and hashes, the report's own first, then the packages that made the models."""
    own = story.report["versions"]
    rows = [("ozfig", own["ozfig"]), ("ozfig's code", own["code"])]
    rows += [("lm-evaluation-harness", own["lm_eval"])] if "lm_eval" in own else []
    rows += [(f"data, {name.replace('_', ' ')}", digest) for name, digest in own["data"].items()]
    rows += [(f"model, {name}", digest) for name, digest in own["models"].items()]
    manifests = list(story.evidence.manifests.values())
    packages = manifests[-1].versions if manifests else {}
    return rows + [(name, version) for name, version in sorted(packages.items()) if name != "ozfig"]


def numbers(found: Figures) -> list[dict[str, Any]]:
    """Every score with every paired difference: what the table behind the charts shows."""
    rows = []
    for condition in found.conditions:
        for metric in found.metrics:
            scores = {p: found.score(p, condition, metric) for p in found.points}
            changes = [None if metric == "perplexity" else found.compare(a, b, condition, metric) for a, b in STEPS]
            rows.append(
                {
                    "metric": f.label(metric),
                    "condition": f.CONDITIONS.get(condition, condition),
                    "n": max(s.n for s in scores.values() if s),
                    "scores": [(found.mean(s), found.margin(s)) if s else ("", "") for s in scores.values()],
                    "changes": [{**change_of(c), "p": f.p_value(c.p)} if c else None for c in changes],
                }
            )
    return rows
