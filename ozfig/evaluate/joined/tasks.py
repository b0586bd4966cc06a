"""Benchmarks of several runs side by side, as far as all of them had the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.evaluate.joined.member import Member
from ozfig.evaluate.results import Plan, paired
from ozfig.types import Comparison, Score

Reports = Mapping[Path, dict[str, Any]]
Cell = tuple[str, str, str]  # task, condition, metric
Values = dict[Cell, dict[str, float]]  # each cell's values by item
ROUNDED = 1e-5


def listed(reports: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """The benchmarks that every report names, under the condition that it names, in the first one's order."""
    first, *others = (report.get("tasks", []) for report in reports)
    return [row for row in first if all(row in other for other in others)]


def scores(members: Sequence[Member], reports: Reports) -> list[Score]:
    """The members' scores in the benchmarks that all runs had, under their names here."""
    wanted = {(row["task"], row["condition"]) for row in listed(reports.values())}
    found = []
    for member in members:
        rows = (Score.from_row(row) for row in reports[member.run]["scores"] if row["model"] == member.point)
        found += [replace(s, model=member.name) for s in rows if (s.task, s.condition) in wanted]
    return found


def comparisons(members: Sequence[Member], reports: Reports, plan: Plan) -> list[Comparison]:
    """Paired differences over the items that both members answered.

    Only of metrics that are the mean of their items' values; a group's or tag's are those of all its tasks' items.
    """
    known = {(s.model, (s.task, s.condition, s.metric)): s.mean for s in scores(members, reports)}
    values = {member.name: _values(member) for member in members} if known else {}
    for member in members if known else ():
        _add_groups(values[member.name], reports[member.run].get("tasks", []))
    return list(_compared(known, values, plan))


def _compared(
    known: Mapping[tuple[str, Cell], float], values: Mapping[str, Values], plan: Plan
) -> Iterator[Comparison]:
    for a, b in plan.steps:
        for cell in [cell for name, cell in known if name == a and (b, cell) in known]:
            rows = [values[name].get(cell, {}) for name in (a, b)]
            means = [known[name, cell] for name in (a, b)]
            if not all(_is_mean(row, mean) for row, mean in zip(rows, means, strict=True)):
                continue
            shared = [item for item in rows[0] if item in rows[1]]
            if len(shared) > 1:
                before, after = ([row[item] for item in shared] for row in rows)
                figures, test = paired(before, after, plan, None)
                yield Comparison(a, b, *cell, len(shared), *figures, test)


def _values(member: Member) -> Values:
    """A member's values in every benchmark: by item, and by what was asked, so that other items are no pair."""
    path = member.run / "evaluate" / "task_samples.jsonl"
    found: Values = {}
    for row in files.read_jsonl(path) if path.exists() else ():
        if row["model"] == member.point:
            item = files.sha256_value([row["item"], row["prompt"], row["target"], row.get("choices")])
            for metric, value in row["scores"].items():
                if isinstance(value, int | float):
                    found.setdefault((row["task"], row["condition"], metric), {})[item] = float(value)
    return found


def _add_groups(values: Values, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Give each group and tag the values of its tasks' items."""
    for row in tasks:
        for (task, condition, metric), items in list(values.items()):
            if task in (row.get("parts") or ()) and condition == row["condition"]:
                group = values.setdefault((row["task"], condition, metric), {})
                group |= {f"{task} {item}": value for item, value in items.items()}


def _is_mean(values: Mapping[str, float], mean: float) -> bool:
    return bool(values) and isclose(sum(values.values()) / len(values), mean, abs_tol=ROUNDED)
