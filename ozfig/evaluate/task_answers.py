"""Benchmark items side by side: what each model chose or said, those that tuning moved first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ozfig.evaluate import figures as f
from ozfig.evaluate.benchmarks_panel import Benchmark, measured

EACH, WHOLE = 8, 120  # items shown: of one task, and of all tasks
LONGEST = 900  # characters of a prompt, from its end, where the question stands
REPLY = 400
ALIKE = 0.005
_ASIDE = re.compile(r"\s*(answer|\w+( choices)?\s*:|[(\[]?[A-H][.):\]].*)", re.IGNORECASE)  # lines that ask nothing
_LABEL = re.compile(r"^q(uestion)?\s*:\s*", re.IGNORECASE)
Sample = dict[str, Any]


def shown(report: dict[str, Any], names: Mapping[str, str], samples: Sequence[Sample]) -> dict[str, Any]:
    """Items of every benchmark in turn, so that a page with many tasks holds some of each; empty without any."""
    groups = [_of_task(task, names, samples) for task in measured(report)]
    counts = [len(group) for group in groups]
    rounds = zip_longest(*(group[:EACH] for group in groups))
    items = [item for row in rounds for item in row if item][:WHOLE]
    tasks = list(dict.fromkeys(item["task"] for item in items))
    return {"items": sorted(items, key=lambda item: -abs(item["change"])), "tasks": tasks, "all": sum(counts)}


def _of_task(task: Benchmark, names: Mapping[str, str], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """A benchmark's items, those whose score tuning changed first, then those that the smaller file changed."""
    wanted = {task.task, *task.parts}
    said: dict[tuple[str, int], dict[str, Sample]] = {}
    for row in samples:
        is_asked = row["task"] in wanted and row["condition"] == task.condition
        if is_asked and (row.get("choices") or row.get("replies")):  # how likely a text is cannot be read
            said.setdefault((row["task"], row["item"]), {})[row["model"]] = row
    entries = [_entry(task, rows, names) for rows in said.values()]
    return sorted(entries, key=lambda e: (-abs(e["change"]), e["smaller"] == "same"))


def _entry(task: Benchmark, rows: Mapping[str, Sample], names: Mapping[str, str]) -> dict[str, Any]:
    first = next(iter(rows.values()))
    scores = {point: _score(row, task.main) for point, row in rows.items()}
    change = 0.0
    if "base" in scores and "tuned" in scores:
        change = scores["tuned"] - scores["base"]
    worse = change > 0 if f.is_lower_better(task.main) else change < 0
    replies = {point: _said(row) for point, row in rows.items()}
    differs = "quantised" in replies and replies["quantised"] != replies.get("tuned")
    return {
        "task": task.task,
        "part": first["task"],
        "question": _question(first["prompt"]),
        "prompt": _end(first["prompt"], LONGEST),
        "target": _target(first),
        "choices": first.get("choices", []),
        "change": change,
        "moved": "level" if abs(change) < ALIKE else "worse" if worse else "better",
        "smaller": "differs" if differs else "same",
        "brief": " → ".join(f.number(scores[p]) for p in ("base", "tuned") if p in scores),
        "metric": f.label(task.main),
        "replies": [
            {"point": point, "name": names[point], "text": replies[point], "score": f.number(scores[point])}
            for point in rows
        ],
    }


def _question(prompt: str) -> str:
    """The line of a prompt that asks: the last that says so, else the last that is no choice and no label."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    labelled = [line for line in lines if _LABEL.match(line) and not _ASIDE.fullmatch(line)]
    asking = labelled or [line for line in lines if not _ASIDE.fullmatch(line)] or [prompt.strip()]
    return _end(_LABEL.sub("", asking[-1]), 160)


def _end(text: str, length: int) -> str:
    return text if len(text) <= length else f"… {text[-length:].lstrip()}"


def _score(row: Sample, metric: str) -> float:
    """What an item counts; 0 for a metric that is no number for each item."""
    value = row["scores"].get(metric, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _said(row: Sample) -> str:
    """The likeliest choice, or the reply; of one choice alone, whether the model would say it."""
    if "replies" in row:
        return _start(str(row["replies"][0]).strip())
    choices, values = row["choices"], row["loglikelihoods"]
    if len(choices) == 1:
        return str(choices[0]).strip() if row["greedy"][0] else "something else"
    return str(choices[values.index(max(values))]).strip()


def _target(row: Sample) -> str:
    """The right answer in words; the harness may give its place among the choices."""
    target, choices = row["target"], row.get("choices", [])
    if isinstance(target, list):
        target = target[0] if target else ""
    if isinstance(target, int) and not isinstance(target, bool) and target < len(choices):
        return str(choices[target]).strip()
    return _start(str(target).strip())


def _start(text: str) -> str:
    return text if len(text) <= REPLY else f"{text[:REPLY]} …"
