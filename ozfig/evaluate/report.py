"""The page that a run ends with, its short text version, and the table for the terminal.

The page is one file: style, charts and the small script for the filters are inside it, and nothing is
fetched. It is written from report.json, the samples and what earlier stages left behind.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ozfig import files, pages
from ozfig.evaluate import (
    benchmarks_panel,
    evidence,
    forecast,
    learning,
    overlap,
    panels,
    running_text,
    task_answers,
    tradeoff,
    verdict,
)
from ozfig.evaluate import figures as f
from ozfig.evaluate.answers import side_by_side
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.panels import Story
from ozfig.evaluate.results import LOWER_IS_BETTER, NEUTRAL, TASK, documents
from ozfig.types import Comparison

TEMPLATES = Path(__file__).parent / "templates"
COLUMNS = ["", "n", "base", "tuned", "quantised", f"tuned {f.MINUS} base", f"quantised {f.MINUS} tuned"]


def write(story: Story, folder: Path) -> None:
    """Write report.html and report.md."""
    environment = pages.environment(TEMPLATES)
    values = page(story)
    for name in ("report.html", "report.md"):
        files.write_text(folder / name, environment.get_template(name).render(values))


def page(story: Story) -> dict[str, Any]:
    """Every value that the templates show."""
    report, found = story.report, Figures(story.report)
    names = panels.names(story)
    exported = tradeoff.files(story, found, names)
    view = panels.View(names)
    judged = [m for m in found.metrics if m not in LOWER_IS_BETTER | NEUTRAL]
    return {
        "style": pages.style(TEMPLATES / "report.css", TEMPLATES / "measured.css"),
        "script": Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        "report": report,
        "date": datetime.now(UTC).strftime("%-d %B %Y"),
        "names": names,
        "points": found.points,
        "headline": report["verdict"],
        "sentences": verdict.sentences(report, names["quantised"]),
        "facts": panels.facts(story, found, names),
        "groups": panels.groups(found, view, judged),
        "likelihood": panels.groups(found, view, [m for m in found.metrics if m == "perplexity"]),
        "heat": panels.heat(story.samples, found.primary, documents=documents(story.items)),
        "advice": verdict.advice(report),
        "files": exported,
        "tradeoff": tradeoff.plot(exported, found),
        "primary": f.label(found.primary),
        "curve": learning.curve(story.evidence),
        "answers": side_by_side(story.items, story.samples, found),
        "steps": evidence.steps(story.evidence),
        "drops": evidence.drops(story.evidence),
        "tokens": story.evidence.tokens,
        "forecast": forecast.rows(story.evidence.plan),
        "forecast_basis": forecast.basis(story.evidence.plan),
        "versions": panels.versions(story),
        "command": f"ozfig run {story.run}/recipe.yaml",
        "numbers": panels.numbers(found),
        "benchmarks": benchmarks_panel.panel(report, names, story.task_samples),
        "benchmark_table": benchmarks_panel.table(report),
        "forgetting": benchmarks_panel.forgetting(report),
        "smaller": benchmarks_panel.smaller(report, names),
        "texts": running_text.panel(report, names),
        "overlap": overlap.panel(report, story.evidence),
        "task_items": task_answers.shown(report, names, story.task_samples),
        "summary": summary(report),
        "columns": COLUMNS,
        "notes": report.get("notes", []),
    }


def summary(report: dict[str, Any]) -> list[list[str]]:
    """The rows that the command line prints at the end, under `COLUMNS`."""
    found = Figures(report)
    shown = [m for m in found.metrics if m not in NEUTRAL | {"answer_loss"}]
    return [_summary_row(found, metric, condition) for condition in found.conditions for metric in shown]


def _summary_row(found: Figures, metric: str, condition: str) -> list[str]:
    scores = [found.score(point, condition, metric) for point in ("base", "tuned", "quantised")]
    steps = [found.compare(a, b, condition, metric) for a, b in (("base", "tuned"), ("tuned", "quantised"))]
    name = "Perplexity" if metric == "perplexity" else f.label(metric)
    return [
        f"{name}, {f.CONDITIONS.get(condition, condition)}",
        f"{max(score.n for score in scores if score):,}",
        *(found.mean(score) for score in scores),
        *(_cell(change) for change in steps),
    ]


def _cell(change: Comparison | None) -> str:
    if change is None:
        return ""
    unit = " nats" if change.metric == "answer_loss" else ""
    return f"{f.difference(change)}{unit} {f.interval(change)} {panels.unclear(change)}".strip()


def summary_table(path: Path) -> tuple[str, list[str], list[list[str]]]:
    """Title, columns and rows for the terminal, from a report.json: as much of the summary as 80 columns hold."""
    report = files.read_json(path)
    rows = [row for row in summary(report) if row[0].startswith(("Token F1", "Perplexity"))] or summary(report)
    n = max(score["n"] for score in report["scores"] if score["task"] == TASK)
    narrow = [[row[0], *(cell.replace(" nats", "") for cell in row[2:6])] for row in rows]
    return f"{report['verdict']}  ({n:,} held-out questions)", ["", *COLUMNS[2:6]], narrow


def headline(path: Path) -> dict[str, Any]:
    """What a report.json says in one line: verdict, primary metric, tuned mean and what tuning changed."""
    report = files.read_json(path)
    found = Figures(report)
    metric, condition = found.primary, found.condition
    point = next(p for p in ("tuned", *reversed(found.points)) if p in found.points)
    score = found.score(point, condition, metric)
    change = found.compare("base", "tuned", condition, metric)
    return {
        "verdict": report["verdict"],
        "metric": f.label(metric),
        "condition": f.CONDITIONS.get(condition, condition),
        "point": point,
        "mean": found.mean(score),
        "margin": found.margin(score) if score else "",
        "n": score.n if score else 0,
        "difference": f.difference(change) if change else "",
        "interval": f.interval(change) if change else "",
        "outcome": (f.outcome(change) or "") if change else "",
        "word": f.word(change) if change else "",
    }
