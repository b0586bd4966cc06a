"""The page that a run ends with, its short text version, and the table for the terminal.

The page is one file: style, charts and the small script for the filters are inside it, and nothing is
fetched. It is written from report.json, the samples and what earlier stages left behind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from ozfig import files
from ozfig.evaluate import charts, evidence, verdict
from ozfig.evaluate import figures as f
from ozfig.evaluate.answers import side_by_side
from ozfig.evaluate.evidence import Evidence
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.results import CLOSED, GOLD, LOWER_IS_BETTER, NEUTRAL
from ozfig.types import Example, Sample

TEMPLATES = Path(__file__).parent / "templates"
WORDS = {"better": "better", "worse": "worse", "noise": "noise"}


@dataclass(frozen=True)
class Story:
    """All that the page tells: the report, the questions with every reply, and the evidence."""

    report: dict[str, Any]
    items: list[Example]
    samples: list[Sample]
    evidence: Evidence
    run: str


def write(story: Story, folder: Path) -> None:
    """Write report.html and report.md."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["strong"] = strong
    values = page(story)
    for name in ("report.html", "report.md"):
        files.write_text(folder / name, environment.get_template(name).render(values))


def strong(text: str) -> Markup:
    """Text with **words** in bold."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text))))


def page(story: Story) -> dict[str, Any]:
    """Every value that the templates show."""
    report, found = story.report, Figures(story.report)
    names = _names(story)
    return {
        "style": Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        "report": report,
        "date": datetime.now(UTC).strftime("%-d %B %Y"),
        "names": names,
        "headline": report["verdict"],
        "sentences": verdict.sentences(report, names["quantised"]),
        "facts": _facts(story, found, names),
        "groups": _groups(found, names, [m for m in found.metrics if m not in LOWER_IS_BETTER | NEUTRAL]),
        "likelihood": _groups(found, names, [m for m in ("perplexity",) if m in found.metrics]),
        "heat": _heat(found),
        "advice": verdict.advice(report),
        "files": _files(story, found, names),
        "primary": f.label(found.primary),
        "curve": _curve(story.evidence),
        "answers": side_by_side(story.items, story.samples, found),
        "steps": evidence.steps(story.evidence),
        "drops": evidence.drops(story.evidence),
        "tokens": story.evidence.tokens,
        "versions": _versions(story),
        "command": f"ozfig run {story.run}/recipe.yaml",
        "numbers": _numbers(found),
        "summary": summary(report),
        "columns": COLUMNS,
    }


def _names(story: Story) -> dict[str, str]:
    """What the points are called on the page: the quantised one by its type."""
    quants = story.evidence.metric("export", "files") or {}
    return {"base": "base", "tuned": "tuned", "quantised": next(iter(quants), "quantised")}


def _facts(story: Story, found: Figures, names: dict[str, str]) -> list[dict[str, str]]:
    """The row of figures under the verdict."""
    facts = []
    for metric in dict.fromkeys([found.primary, "perplexity"]):
        score, change = (
            found.score("tuned", found.condition, metric),
            found.compare("base", "tuned", found.condition, metric),
        )
        if score and change:
            name = "Perplexity of the answers" if metric == "perplexity" else f"{f.label(metric)}, tuned"
            facts.append(_fact(name, f.mean(score), change, " nats" if metric == "perplexity" else " against base"))
    if change := found.compare("tuned", "quantised", found.condition, found.primary):
        facts.append(_fact(f"{names['quantised']} against tuned", f.difference(change), change, None))
    if change := found.across(("tuned", CLOSED), ("tuned", GOLD), found.primary):
        score = found.score("tuned", GOLD, found.primary)
        facts.append(_fact("Tuned, with the passage", f.mean(score) if score else "", change, ""))
    if "prepare" in story.evidence.manifests or story.evidence.dropped:
        leaks = sum(evidence.is_leak(d.reason) for d in story.evidence.dropped)
        kept = f"{len(story.evidence.train):,} pairs kept"
        facts.append({"name": "Leaks taken out", "value": f"{leaks:,}", "change": "", "outcome": "", "detail": kept})
    return facts


def _fact(name: str, value: str, change: Any, unit: str | None) -> dict[str, str]:
    """A figure with its paired difference; `unit` None means that the figure is the difference."""
    shown = "" if unit is None else f.difference(change) + unit
    return {
        "name": name,
        "value": value,
        "change": shown,
        "outcome": f.outcome(change) or "noise",
        "detail": f"{f.interval(change)} · n {change.n}",
    }


def _groups(found: Figures, names: dict[str, str], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One group of charts for each condition; a metric has the same axis in all of them."""
    groups = []
    for condition in found.conditions:
        shown = [_chart(found, names, metric, condition) for metric in metrics]
        title = f.CONDITIONS.get(condition, condition)
        n = max((s.n for m in metrics for p in found.points if (s := found.score(p, condition, m))), default=0)
        groups.append({"title": title[0].upper() + title[1:], "n": n, "charts": shown})
    return groups if metrics else []


def _chart(found: Figures, names: dict[str, str], metric: str, condition: str) -> dict[str, Any]:
    """The bars of one metric under one condition, and the paired differences below them."""
    everywhere = [s for p in found.points for c in found.conditions if (s := found.score(p, c, metric))]
    top = f.nice_top(max(s.mean + f.Z95 * s.stderr for s in everywhere))
    rows = []
    for point in found.points:
        if score := found.score(point, condition, metric):
            low, high = score.mean - f.Z95 * score.stderr, score.mean + f.Z95 * score.stderr
            rows.append(
                {
                    "name": names.get(point, point),
                    "bar": charts.bar(score.mean, low, high, top, point),
                    "mean": f.mean(score),
                    "margin": f.margin(score),
                }
            )
    changes = [
        {"name": f"{names[b]} {f.MINUS} {names[a]}", **_change(change, " nats" if metric == "perplexity" else "")}
        for a, b in (("base", "tuned"), ("tuned", "quantised"))
        if (change := found.compare(a, b, condition, metric))
    ]
    lower = metric in LOWER_IS_BETTER
    return {"label": f.label(metric), "lower": lower, "rows": rows, "changes": changes, "top": f.number(top, 1)}


def _change(change: Any, unit: str = "") -> dict[str, str]:
    return {
        "text": f"{f.difference(change)}{unit}",
        "interval": f.interval(change),
        "outcome": f.outcome(change) or "noise",
    }


def _heat(found: Figures) -> list[dict[str, Any]]:
    """The 2 x 2 table of the primary metric; empty unless both models were asked under both conditions."""
    cells = {(p, c): found.score(p, c, found.primary) for p in ("base", "tuned") for c in (CLOSED, GOLD)}
    known = [score for score in cells.values() if score]
    if len(known) < len(cells):
        return []
    top = max(score.mean for score in known) or 1.0
    best = max(known, key=lambda score: score.mean)
    return [
        {
            "point": point,
            "cells": [
                {
                    "mean": f.mean(score),
                    "margin": f.margin(score),
                    "n": score.n,
                    "shade": round(6 + 44 * max(score.mean, 0) / top),
                    "best": score is best,
                }
                for c in (CLOSED, GOLD)
                if (score := cells[point, c])
            ],
        }
        for point in ("base", "tuned")
    ]


def _files(story: Story, found: Figures, names: dict[str, str]) -> list[dict[str, Any]]:
    """The exported files beside the tuned model: size, score, loss, and whether llama.cpp agrees."""
    made = story.evidence.metric("export", "files") or {}
    rows = []
    if full := story.evidence.full_bytes:
        rows.append({"name": "full precision", "size": f.size(full), "parity": "", **_measured(found, "tuned")})
    for name, figures in made.items():
        measured = _measured(found, "quantised" if name == names["quantised"] else "")
        parity = _parity(figures.get("parity") or {})
        rows.append({"name": name, "size": f.size(figures.get("bytes", 0)), "parity": parity, **measured})
    return rows


def _measured(found: Figures, point: str) -> dict[str, Any]:
    """A point's score and loss where the verdict looks, with the difference from the tuned model."""
    values: dict[str, Any] = {}
    for column, metric in (("score", found.primary), ("loss", "answer_loss")):
        score = found.score(point, found.condition, metric)
        change = found.compare("tuned", point, found.condition, metric)
        values[column] = f.mean(score) if score else ""
        values[f"{column}_change"] = _change(change) if change else None
    return values


def _parity(figures: dict[str, Any]) -> str:
    """What the export's comparison with llama.cpp found, in a few words."""
    if not figures:
        return ""
    agreement = f"{100 * figures.get('top1_agreement', 0):.0f} % of next tokens" if "top1_agreement" in figures else ""
    same = f"{figures['token_ids_equal']} texts read alike" if "token_ids_equal" in figures else ""
    return ", ".join(part for part in (same, agreement) if part)


def _curve(found: Evidence) -> dict[str, Any] | None:
    """The training loss over tokens, drawn from the log."""
    if len(found.log) < 2:
        return None
    losses, tokens = [row["loss"] for row in found.log], [row["tokens"] for row in found.log]
    top = f.nice_top(max(losses))
    smooth = charts.running_mean(losses, max(2, len(losses) // 12))
    return {
        "svg": charts.curve(tokens, losses, top),
        "ticks": [f.number(top * share, 2) for share in (1, 0.75, 0.5, 0.25, 0)],
        "tokens": f"{tokens[-1]:,}",
        "half": f"{tokens[-1] // 2:,}",
        "steps": f"{found.log[-1]['step']:,}",
        "first": f.number(losses[0]),
        "last": f.number(smooth[-1]),
    }


def _versions(story: Story) -> list[tuple[str, str]]:
    """Versions and hashes, the report's own first, then the packages that made the models."""
    own = story.report["versions"]
    rows = [("ozfig", own["ozfig"]), ("ozfig's code", own["code"])]
    rows += [(f"data, {name.replace('_', ' ')}", digest) for name, digest in own["data"].items()]
    rows += [(f"model, {name}", digest) for name, digest in own["models"].items()]
    manifests = list(story.evidence.manifests.values())
    packages = manifests[-1].versions if manifests else {}
    return rows + [(name, version) for name, version in sorted(packages.items()) if name != "ozfig"]


def _numbers(found: Figures) -> list[dict[str, Any]]:
    """Every score with every paired difference: what the table behind the charts shows."""
    rows = []
    for condition in found.conditions:
        for metric in found.metrics:
            scores = {p: found.score(p, condition, metric) for p in found.points}
            pairs = (("base", "tuned"), ("tuned", "quantised"), ("base", "quantised"))
            changes = [None if metric == "perplexity" else found.compare(a, b, condition, metric) for a, b in pairs]
            rows.append(
                {
                    "metric": f.label(metric),
                    "condition": f.CONDITIONS.get(condition, condition),
                    "n": max(s.n for s in scores.values() if s),
                    "scores": [(f.mean(s), f.margin(s)) if s else ("", "") for s in scores.values()],
                    "changes": [{**_change(c), "p": f.p_value(c.p)} if c else None for c in changes],
                }
            )
    return rows


COLUMNS = ["", "n", "base", "tuned", "quantised", f"tuned {f.MINUS} base", f"quantised {f.MINUS} tuned"]


def summary(report: dict[str, Any]) -> list[list[str]]:
    """The rows that the command line prints at the end, under `COLUMNS`."""
    found = Figures(report)
    rows = []
    for condition in found.conditions:
        for metric in (m for m in found.metrics if m not in NEUTRAL | {"answer_loss"}):
            scores = [found.score(point, condition, metric) for point in ("base", "tuned", "quantised")]
            unit = " nats" if metric == "perplexity" else ""
            cells = [
                _cell(found.compare(a, b, condition, metric), unit)
                for a, b in (("base", "tuned"), ("tuned", "quantised"))
            ]
            name = "Perplexity" if metric == "perplexity" else f.label(metric)
            n = max(score.n for score in scores if score)
            means = [f.mean(score) if score else "" for score in scores]
            rows.append([f"{name}, {f.CONDITIONS.get(condition, condition)}", f"{n:,}", *means, *cells])
    return rows


def _cell(change: Any, unit: str) -> str:
    if change is None:
        return ""
    noise = " noise" if f.outcome(change) == "noise" else ""
    return f"{f.difference(change)}{unit} {f.interval(change)}{noise}"


def summary_table(path: Path) -> tuple[str, list[str], list[list[str]]]:
    """Title, columns and rows for the terminal, from a report.json."""
    report = files.read_json(path)
    return report["verdict"], COLUMNS, summary(report)
