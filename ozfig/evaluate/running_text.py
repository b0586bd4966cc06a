"""Running text on the page: how well each model foresees it, and what tuning and quantising changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ozfig.evaluate.benchmarks_panel import corrected
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.text import CONDITION


def panel(report: dict[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each text the models' perplexity and bits a byte, with the paired difference in bits a byte."""
    tasks = dict.fromkeys(row["task"] for row in report["scores"] if row["task"].startswith("text:"))
    return [_text(report, task, names) for task in tasks]


def _text(report: dict[str, Any], task: str, names: Mapping[str, str]) -> dict[str, Any]:
    found, rows = Figures(report, task), []
    for point in found.points:
        scores = [found.score(point, CONDITION, metric) for metric in ("perplexity", "bits_per_byte")]
        against = "base" if point == "tuned" else "tuned"
        change = found.compare(against, point, CONDITION, "bits_per_byte")
        rows.append(
            {
                "name": names.get(point, point),
                "figures": [(found.mean(s), found.margin(s)) if s else ("", "") for s in scores],
                "against": names.get(against, against) if change else "",
                "change": corrected(change) if change else None,
            }
        )
    tokens = max(score["n"] for score in report["scores"] if score["task"] == task)
    windows = max(score["clusters"] or 0 for score in report["scores"] if score["task"] == task)
    definition = (report["settings"].get("text") or {}).get("definition", "stride")
    name = task.removeprefix("text:")
    return {"name": name, "tokens": f"{tokens:,}", "windows": f"{windows:,}", "rows": rows, "definition": definition}
