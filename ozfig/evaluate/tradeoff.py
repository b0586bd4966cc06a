"""What does smaller cost? Size, speed, quality and likeness of every exported file beside the tuned model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ozfig.evaluate import figures as f
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.panels import Story, change_of
from ozfig.evaluate.statistics import Z95
from ozfig.pages import scatter
from ozfig.types import Score

FULL = "full precision"


def files(story: Story, found: Figures, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The exported files, the largest first, below the tuned model; a file that no point names has no score."""
    made = story.evidence.metric("export", "files") or {}
    rows = []
    if full := story.evidence.full_bytes:
        rows.append(_row(FULL, full, {}, found, "tuned"))
    for name, figures in sorted(made.items(), key=lambda item: -item[1].get("bytes", 0)):
        point = "quantised" if name == names["quantised"] else name
        speed = story.evidence.file_speed.get(name)
        row = _row(name, figures.get("bytes", 0), figures, found, point)
        rows.append({**row, "speed": f"{speed['written']:,.0f}" if speed else ""})
    return rows


def _row(name: str, size: float, figures: Mapping[str, Any], found: Figures, point: str) -> dict[str, Any]:
    """One file: its score and loss where the verdict looks, with the differences from the tuned model."""
    parity = figures.get("parity") or {}
    row = {"name": name, "bytes": size, "size": f.size(size), "point": point, "parity": _parity(parity)}
    row["speed"] = ""
    row["bits"] = f"{figures['bits_per_weight']:.1f} bits a weight" if "bits_per_weight" in figures else ""
    row["kl"] = _divergence(parity["kl"]) if "kl" in parity else ""
    row["top1"] = f"{100 * parity['top1']:.1f} %" if "top1" in parity else ""
    row["kl_tokens"] = f"{parity['tokens']:,}" if "tokens" in parity else ""
    for column, metric in (("score", found.primary), ("loss", "answer_loss")):
        change = found.compare("tuned", point, found.condition, metric)
        row[column] = found.mean(found.score(point, found.condition, metric))
        row[f"{column}_change"] = change_of(change) if change else None
    return row


def _divergence(kl: float) -> str:
    return f"{kl:.4f}" if kl >= 0.0001 else "< 0.0001"


def _parity(figures: Mapping[str, Any]) -> str:
    """What the export's comparison with llama.cpp found, in a few words."""
    same, texts = figures.get("token_ids_equal"), figures.get("token_ids_compared")
    parts = [f"{same:,} of {texts:,} texts cut into the same tokens"] if same and texts else []
    if tokens := figures.get("reply_tokens"):
        parts.append(f"{figures['reply_tokens_equal']:,} of {tokens:,} greedy tokens the same")
    return ", ".join(parts)


def plot(rows: list[dict[str, Any]], found: Figures) -> dict[str, Any]:
    """Size across, score upwards with its 95 % interval; empty with fewer than two scored files."""
    scored = [(row, s) for row in rows if (s := found.score(row["point"], found.condition, found.primary))]
    if len(scored) < 2 or not all(row["bytes"] for row, _ in scored):
        return {}
    right = max(row["bytes"] for row, _ in scored)
    dots = [_dot(row, score) for row, score in scored]
    axis = scatter.scale(max(0.0, min(dot.low for dot in dots)), max(dot.high for dot in dots))
    level = next((score.mean for row, score in scored if row["name"] == FULL), None)
    digits = max(len(f"{tick:g}".partition(".")[2]) for tick in axis.ticks)
    return {
        "svg": scatter.scatter(dots, axis, right, level),
        "ticks": [f.number(tick, digits) for tick in axis.ticks],
        "half": f.size(right / 2),
        "right": f.size(right),
        "height": scatter.HEIGHT,
    }


def _dot(row: dict[str, Any], score: Score) -> scatter.Dot:
    margin = Z95 * score.stderr
    low = max(0.0, score.mean - margin)
    return scatter.Dot(row["name"], row["bytes"], score.mean, low, score.mean + margin, row["point"])
