"""From samples to scores with standard errors and paired comparisons with intervals.

A comparison is of b minus a over the questions that both were asked. Within a condition, `a` and `b` are
points (base, tuned, quantised). Across conditions they are written `tuned@closed_book`, and the condition
reads `closed_book->gold_context`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ozfig import registry
from ozfig.evaluate.statistics import mean_and_stderr, paired_bootstrap
from ozfig.types import Comparison, Sample, Score

TASK, VERSION = "held_out", 1  # raise the version when the same replies would score otherwise
LOWER_IS_BETTER = {"answer_loss", "perplexity"}
LOWER_IS_BETTER |= {"word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score"}  # of benchmarks
NEUTRAL = {"answer_words"}
STEPS = [("base", "tuned"), ("tuned", "quantised"), ("base", "quantised")]
CLOSED, GOLD, RETRIEVED = "closed_book", "gold_context", "retrieved"
# does the text help each model, and would it have helped more than tuning did?
ACROSS = [
    pair
    for given in (RETRIEVED, GOLD)
    for pair in (
        (("base", CLOSED), ("base", given)),
        (("tuned", CLOSED), ("tuned", given)),
        (("base", given), ("tuned", CLOSED)),
    )
]
Cell = tuple[str, str]


class Table:
    """Samples by model and condition. `cells` keeps the order in which they were measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.cells: dict[Cell, dict[str, Sample]] = {
            cell: {s.item: s for s in rows} for cell, rows in groupby(samples, key=lambda s: (s.model, s.condition))
        }
        self.metrics = list(samples[0].scores) if samples else []

    def shared(self, *cells: Cell) -> list[str]:
        """The questions that all of the cells were asked, in order; none when a cell is absent."""
        if any(cell not in self.cells for cell in cells):
            return []
        return [item for item in self.cells[cells[0]] if all(item in self.cells[cell] for cell in cells[1:])]

    def values(self, cell: Cell, metric: str, items: Sequence[str]) -> list[float]:
        """One metric's values over questions."""
        return [self.cells[cell][item].scores[metric] for item in items]


def scores(samples: Sequence[Sample], metrics: Sequence[str]) -> list[Score]:
    """The mean of every metric for each model and condition; perplexity where it was asked for."""
    table = Table(samples)
    found = []
    for cell, rows in table.cells.items():
        means = {metric: mean_and_stderr(table.values(cell, metric, list(rows))) for metric in table.metrics}
        found += [_score(cell, metric, len(rows), value) for metric, value in means.items()]
        if "perplexity" in metrics:
            value = registry.find("metric", "perplexity")(
                [s.nats for s in rows.values()], [s.tokens for s in rows.values()]
            )
            found.append(_score(cell, "perplexity", len(rows), value))
    return found


def _score(cell: Cell, metric: str, n: int, value: tuple[float, float]) -> Score:
    model, condition = cell
    return Score(model, TASK, VERSION, condition, metric, n, round(value[0], 6), round(value[1], 6))


def comparisons(samples: Sequence[Sample], resamples: int, seed: int) -> list[Comparison]:
    """Every paired difference that the report speaks of."""
    table = Table(samples)
    found = []
    for a, b in _pairs(table):
        items = table.shared(a, b)
        if len(items) < 2:
            continue
        names, condition = ((a[0], b[0]), a[1]) if a[1] == b[1] else (("@".join(a), "@".join(b)), f"{a[1]}->{b[1]}")
        for metric in table.metrics:
            before, after = (table.values(cell, metric, items) for cell in (a, b))
            figures = (round(x, 6) for x in paired_bootstrap(before, after, resamples, seed))
            found.append(Comparison(*names, TASK, condition, metric, len(items), *figures))
    return found


def _pairs(table: Table) -> Iterator[tuple[Cell, Cell]]:
    """The cells to compare: along the models within each condition, then across conditions."""
    for condition in dict.fromkeys(condition for _, condition in table.cells):
        for a, b in STEPS:
            yield (a, condition), (b, condition)
    yield from ACROSS
