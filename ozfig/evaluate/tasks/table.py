"""From benchmark items to scores with standard errors and paired comparisons with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ozfig.evaluate.results import Plan, paired
from ozfig.evaluate.statistics import mean_and_stderr
from ozfig.types import Comparison, Example, Score

Aggregate = Callable[[Sequence[Any]], float]
Values = dict[str, tuple[Aggregate | None, list[Any]]]
Cell = tuple[str, str, str]  # task, condition, metric
DRAWS = 200  # resamples for the error of what is no mean, such as an F1 over all items


@dataclass(frozen=True)
class Loaded:
    """One task with its requests. `asked` is the name in the recipe: the task's own, or a group or tag it is in."""

    name: str
    asked: str
    condition: str
    version: float
    task: Any
    requests: list[Any]


@dataclass(frozen=True)
class Measured:
    """What the benchmarks gave: a row for each model and item, and what report.json holds of them.

    `tasks` are the names and conditions of the recipe, in order, those of groups and tags with their `parts`;
    `items` what was asked under each name.
    """

    samples: list[dict[str, Any]]
    scores: list[Score]
    comparisons: list[Comparison]
    tasks: list[dict[str, Any]]
    lm_eval: str
    items: dict[str, list[Example]]


class Table:
    """Every metric's values by task and model; a group's or tag's are those of all its tasks' items."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._values: dict[Cell, dict[str, list[Any]]] = {}
        self._aggregates: dict[Cell, Aggregate | None] = {}
        self._versions: dict[str, float] = {}

    def add(self, point: str, task: Loaded, values: Values) -> None:
        """What a model scored in a task."""
        for name in dict.fromkeys((task.name, task.asked)):
            self._versions.setdefault(name, task.version)
            for metric, (aggregate, found) in values.items():
                cell = (name, task.condition, metric)
                self._aggregates.setdefault(cell, aggregate)
                self._values.setdefault(cell, {}).setdefault(point, []).extend(found)

    def scores(self) -> list[Score]:
        """The figure of every metric for each task and model, with its standard error."""
        found = []
        for cell, points in self._values.items():
            task, condition, metric = cell
            for point, values in points.items():
                if len(values) < 2:  # one item has no spread
                    continue
                mean, stderr = self._figure(cell, values)
                figures = len(values), round(mean, 6), round(stderr, 6)
                found.append(Score(point, task, self._versions[task], condition, metric, *figures))
        return found

    def comparisons(self) -> list[Comparison]:
        """Every paired difference along the models, of metrics that are means over items."""
        return list(self._compared())

    def _compared(self) -> Iterator[Comparison]:
        for (task, condition, metric), points in self._values.items():
            for a, b in self.plan.steps:
                if len(points.get(a, ())) < 2 or b not in points:
                    continue
                if is_mean(self._aggregates[task, condition, metric], points[a]):
                    before, after = ([float(value) for value in points[name]] for name in (a, b))
                    figures, test = paired(before, after, self.plan, None)
                    yield Comparison(a, b, task, condition, metric, len(before), *figures, test)

    def _figure(self, cell: Cell, values: list[Any]) -> tuple[float, float]:
        """A mean with s / sqrt(n); another aggregation with the spread of resampled sets (Efron 1979)."""
        aggregate = self._aggregates[cell]
        if is_mean(aggregate, values):
            return mean_and_stderr([float(value) for value in values])
        assert aggregate is not None
        draws = np.random.default_rng(self.plan.seed).integers(0, len(values), size=(DRAWS, len(values)))
        spread = [float(aggregate([values[i] for i in draw])) for draw in draws]
        return float(aggregate(values)), float(np.std(spread, ddof=1))


def is_mean(aggregate: Aggregate | None, values: Sequence[Any]) -> bool:
    """Whether a metric is the mean of a number for each item; without an aggregation lm-eval takes the mean."""
    named = aggregate is None or getattr(aggregate, "__name__", "") == "mean"
    return named and all(isinstance(value, int | float | np.number) for value in values)
