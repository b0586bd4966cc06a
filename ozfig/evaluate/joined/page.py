"""The page of several runs as one file, with its short text version, its plot and its figures as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ozfig import files, pages
from ozfig.evaluate import figures as f
from ozfig.evaluate import panels
from ozfig.evaluate.answers import side_by_side
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.joined.join import Joined
from ozfig.evaluate.report import TEMPLATES
from ozfig.evaluate.results import LOWER_IS_BETTER, NEUTRAL
from ozfig.evaluate.statistics import Z95
from ozfig.pages import charts
from ozfig.pages.figure import Bar, grouped_bars
from ozfig.types import Comparison

HUES = ("tuned", "quantised", "third", "fourth")  # of the runs, in their order
IN_TABLES = {"bertscore_precision", "bertscore_recall"}  # too many charts hide what matters
Step = tuple[str, str]


@dataclass(frozen=True)
class Page:
    """What a page of several runs says. The first of `steps` is the one that it is about."""

    name: str
    joined: Joined
    steps: Sequence[Step]
    headline: str
    sentences: Sequence[str]
    command: str
    conclusions: Sequence[str] = ()
    heat: Mapping[str, Any] = field(default_factory=dict)


def write(page: Page, folder: Path, stem: str, json_stem: str = "") -> dict[str, Any]:
    """Write the page, the text, the plot and the JSON; returns what `--json` prints."""
    report = {**page.joined.report, "name": page.name, "verdict": page.headline}
    if page.conclusions:
        report["conclusions"] = [line.replace("**", "") for line in page.conclusions]
    environment = pages.environment(TEMPLATES)
    values = _values(page)
    for suffix in ("html", "md"):
        template = environment.get_template(f"joined.{suffix}")
        files.write_text(folder / f"{stem}.{suffix}", template.render({**values, "stem": stem}))
    files.write_text(folder / f"{stem}.svg", plot(page))
    path = folder / f"{json_stem or stem}.json"
    files.write_json(path, report)
    return {"report": str(folder / f"{stem}.html"), "figures": str(path), "verdict": page.headline}


def _values(page: Page) -> dict[str, Any]:
    """Every value that the templates show."""
    report, found = page.joined.report, Figures(page.joined.report)
    colours = hues(report["members"])
    names = {name: name for name in colours}
    view = panels.View(names, page.steps, colours)
    judged = [m for m in found.metrics if m not in LOWER_IS_BETTER | NEUTRAL | IN_TABLES]
    judged.sort(key=lambda metric: metric != found.primary)
    return {
        "style": pages.style(TEMPLATES / "report.css", TEMPLATES / "joined.css"),
        "script": Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        "page": page,
        "report": report,
        "names": names,
        "colours": colours,
        "facts": _facts(found, page.steps[0]),
        "groups": panels.groups(found, view, judged),
        "likelihood": panels.groups(found, view, [m for m in found.metrics if m == "perplexity"]),
        "heat": page.heat,
        "primary": f.label(found.primary),
        "answers": side_by_side(page.joined.items, page.joined.samples, found, page.steps[0]),
        "benchmarks": _benchmarks(report, page.steps),
        "numbers": list(_numbers(found)),
        "differences": [_difference(row, found.primary) for row in report["comparisons"]],
        "recipes": [_setting(row) for row in report["recipes"]],
        "training": _training(report["members"]),
        "runs": list(dict.fromkeys(member["run"] for member in report["members"])),
    }


def hues(members: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A colour for each member: its run's; paler where it is the exported file, grey where it is a base."""
    runs = list(dict.fromkeys(member["run"] for member in members))
    found = {}
    for member in members:
        hue = HUES[runs.index(member["run"]) % len(HUES)]
        found[member["name"]] = {"base": "base", "quantised": f"{hue}-pale"}.get(member["point"], hue)
    return found


def plot(page: Page) -> Markup:
    """The models' primary metric under each condition, with intervals."""
    found = Figures(page.joined.report)
    colours, metric = hues(page.joined.report["members"]), found.primary
    scores = {(p, c): found.score(p, c, metric) for c in found.conditions for p in colours}
    highest = max(s.mean + Z95 * s.stderr for s in scores.values() if s)
    top = charts.nice_top(highest * 1.12)  # room for the figures above the bars

    def bar(point: str, condition: str) -> Bar | None:
        score = scores[point, condition]
        if score is None:
            return None
        spread = Z95 * score.stderr
        return Bar(score.mean, score.mean - spread, score.mean + spread, found.mean(score))

    groups = [(f.CONDITIONS.get(c, c), [bar(point, c) for point in colours]) for c in found.conditions]
    n = max(s.n for s in scores.values() if s)
    return grouped_bars(f"{f.label(metric)}, {n:,} held-out questions", groups, list(colours.items()), top)


def _facts(found: Figures, step: Step) -> list[dict[str, str]]:
    """The difference that the page is about, under each condition."""
    a, b = step
    return [
        {
            **panels.change_of(change),
            "name": f"{f.label(found.primary)}, {f.CONDITIONS.get(condition, condition)}",
            "scores": " → ".join(found.mean(found.score(point, condition, found.primary)) for point in step),
            "n": f"{b} {f.MINUS} {a} · n {change.n:,}",
        }
        for condition in found.conditions
        if (change := found.compare(a, b, condition, found.primary))
    ]


def _benchmarks(report: Mapping[str, Any], steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The benchmarks that all runs had: each metric's scores by model, and the paired differences."""
    rows = []
    for listed in report["tasks"]:
        found = Figures(dict(report), listed["task"])
        for metric in found.metrics:
            scores = {p: found.score(p, listed["condition"], metric) for p in found.points}
            changes = [(s, found.compare(*s, listed["condition"], metric)) for s in steps]
            known = [score for score in scores.values() if score]
            if known:
                rows.append(
                    {
                        "task": f"{listed['task']}, {metric}",
                        "condition": listed["condition"],
                        "n": max(score.n for score in known),
                        "scores": {s.model: (found.mean(s), found.margin(s)) for s in known},
                        "changes": [{"of": f"{b} {f.MINUS} {a}", **panels.change_of(c)} for (a, b), c in changes if c],
                    }
                )
    return rows


def _numbers(found: Figures) -> Iterable[dict[str, Any]]:
    """Every score."""
    for condition in found.conditions:
        for metric in found.metrics:
            scores = {p: s for p in found.points if (s := found.score(p, condition, metric))}
            if scores:
                yield {
                    "metric": f.label(metric),
                    "condition": f.CONDITIONS.get(condition, condition),
                    "n": max(s.n for s in scores.values()),
                    "scores": {p: (found.mean(s), found.margin(s)) for p, s in scores.items()},
                }


def _difference(row: dict[str, Any], primary: str) -> dict[str, Any]:
    """One paired difference with everything that is known of it."""
    found = Comparison.from_row(row)
    conditions = [f.CONDITIONS.get(c, c) for c in found.condition.split("->")]
    a, b = (name.partition("@")[0] for name in (found.a, found.b))
    crossed = len(conditions) > 1
    return {
        "main": found.metric in (primary, "answer_loss"),
        "of": f"{b}, {conditions[1]} {f.MINUS} {a}, {conditions[0]}" if crossed else f"{b} {f.MINUS} {a}",
        "metric": f.label(found.metric) if found.task == "held_out" else f"{found.task}, {found.metric}",
        "condition": "" if crossed else conditions[0],
        "n": found.n,
        "clusters": found.clusters,
        "p": f.p_value(found.p),
        "adjusted": "" if found.p_adjusted is None else f.p_value(found.p_adjusted),
        **panels.change_of(found),
    }


def _setting(row: Mapping[str, Any]) -> dict[str, Any]:
    """A key of the recipes with each run's value in words."""
    values = {name: "–" if value is None else str(value) for name, value in row["values"].items()}
    return {"key": row["key"], "values": values}


def _training(members: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, str]]]:
    """What each run's model was trained on, as rows of figures by run."""
    tuned = {m["run"]: m["training"] for m in members if m["training"]}
    labels = {
        "rows": "rows",
        "tokens": "tokens read",
        "trained_tokens": "tokens with a loss",
        "steps": "optimizer steps",
        "first_loss": "first loss",
        "final_loss": "last loss",
    }
    found = []
    for key, label in labels.items():
        known = {run: values[key] for run, values in tuned.items() if values.get(key) is not None}
        if known:
            shown = {run: f"{v:,}" if isinstance(v, int) else f.number(v) for run, v in known.items()}
            found.append((label, shown))
    return found
