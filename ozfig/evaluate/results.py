"""From samples to scores with standard errors and paired comparisons with intervals.

A comparison is of b minus a over the questions that both were asked. Within a condition, `a` and `b` are
points (base, tuned, quantised, a further file or another model). Across conditions they are written
`tuned@closed_book`, and the condition reads `closed_book->gold_context`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from ozfig import registry
from ozfig.evaluate.statistics import Difference, grouped, holm, mcnemar, mean_and_stderr, method, paired_difference
from ozfig.types import Comparison, Example, Sample, Score

TASK, VERSION = "held_out", 2  # raise the version when the same replies would score or compare otherwise
LOWER_IS_BETTER = {"answer_loss", "perplexity", "bits_per_byte"}
LOWER_IS_BETTER |= {"word_perplexity", "byte_perplexity", "brier_score"}  # of benchmarks
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


@dataclass(frozen=True)
class Plan:
    """How samples are compared: which points with which, from how many resamples, over which documents.

    `documents` names each question's document; where it is empty, questions are taken as independent. `across`
    are the cells to compare that differ in their condition.
    """

    resamples: int = 10_000
    seed: int = 7
    steps: Sequence[tuple[str, str]] = tuple(STEPS)
    documents: Mapping[str, str] = field(default_factory=dict)
    across: Sequence[tuple[Cell, Cell]] = tuple(ACROSS)

    def clusters(self, items: Sequence[str]) -> list[str] | None:
        """The document of each question; None where no two share one, or one is all there is."""
        names = [self.documents.get(item, item) for item in items]
        return names if 1 < len(set(names)) < len(names) else None


def documents(items: Sequence[Example]) -> dict[str, str]:
    """The document that each question is about, by its id.

    Pairs of a data set without passages have a file for a source, which joins nothing: each is on its own.
    """
    return {e.id: e.source for e in items if e.source and (e.context or e.maker != "dataset")}


class Table:
    """Samples by model and condition. `cells` keeps the order in which they were measured."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.cells: dict[Cell, dict[str, Sample]] = {
            cell: {s.item: s for s in rows} for cell, rows in groupby(samples, key=lambda s: (s.model, s.condition))
        }
        self.metrics = list(dict.fromkeys(metric for sample in samples for metric in sample.scores))

    def shared(self, *cells: Cell, metric: str = "") -> list[str]:
        """The questions that all of the cells were asked and have a value for, in order; none when a cell is absent."""
        if any(cell not in self.cells for cell in cells):
            return []
        rows = [self.cells[cell] for cell in cells]
        return [
            item for item in rows[0] if all(item in row and (not metric or metric in row[item].scores) for row in rows)
        ]

    def values(self, cell: Cell, metric: str, items: Sequence[str]) -> list[float]:
        """One metric's values over questions."""
        return [self.cells[cell][item].scores[metric] for item in items]


def scores(samples: Sequence[Sample], metrics: Sequence[str], plan: Plan | None = None) -> list[Score]:
    """The mean of every metric for each model and condition; perplexity where it was asked for."""
    table, plan, found = Table(samples), plan or Plan(), []
    for cell, rows in table.cells.items():
        for metric in table.metrics:
            items = table.shared(cell, metric=metric)
            if len(items) > 1:
                clusters = plan.clusters(items)
                value = mean_and_stderr(table.values(cell, metric, items), clusters)
                found.append(_score(cell, metric, len(items), value, clusters))
        known = [sample for sample in rows.values() if sample.tokens]
        if "perplexity" in metrics and len(known) > 1:
            clusters = plan.clusters([sample.item for sample in known])
            sums = [grouped(column, clusters)[0] for column in ([s.nats for s in known], [s.tokens for s in known])]
            found.append(_score(cell, "perplexity", len(known), registry.find("metric", "perplexity")(*sums), clusters))
    return found


def _score(cell: Cell, metric: str, n: int, value: tuple[float, float], clusters: Sequence[str] | None) -> Score:
    model, condition = cell
    figures = round(value[0], 6), round(value[1], 6)
    return Score(model, TASK, VERSION, condition, metric, n, *figures, len(set(clusters)) if clusters else None)


def comparisons(samples: Sequence[Sample], plan: Plan) -> list[Comparison]:
    """Every paired difference that the report speaks of."""
    table = Table(samples)
    found = []
    for a, b in _pairs(table, plan):
        names, condition = ((a[0], b[0]), a[1]) if a[1] == b[1] else (("@".join(a), "@".join(b)), f"{a[1]}->{b[1]}")
        for metric in table.metrics:
            items = table.shared(a, b, metric=metric)
            if len(items) > 1:
                before, after = (table.values(cell, metric, items) for cell in (a, b))
                clusters = plan.clusters(items)
                row = *names, TASK, condition, metric, len(items)
                figures, test = paired(before, after, plan, clusters)
                found.append(Comparison(*row, *figures, test, clusters=len(set(clusters)) if clusters else None))
    return found


def paired(
    a: Sequence[float], b: Sequence[float], plan: Plan, clusters: Sequence[str] | None
) -> tuple[Difference, str]:
    """The paired difference with its interval, and the test that p is of.

    That is the interval's own, but McNemar's where answers are right or wrong and questions independent.
    """
    found = paired_difference(a, b, plan.resamples, plan.seed, clusters).rounded()
    if clusters is None and {*a, *b} <= {0.0, 1.0}:
        return found._replace(p=round(mcnemar(a, b), 6)), "mcnemar"
    return found, method(len(set(clusters)) if clusters else len(a))


def adjusted(found: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with `p_adjusted`: each p corrected by Holm for the others of its family.

    A family is what a reader looks through for one that stands out: on the held-out questions, and on a running
    text, all comparisons of one metric; on other tasks, all tasks on which the same two models are compared.
    """
    families: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(found):
        own = row.task == TASK or row.task.startswith("text:")
        families[(row.task, row.metric) if own else (row.a, row.b)].append(i)
    rows = list(found)
    for places in families.values():
        for i, p in zip(places, holm([found[i].p for i in places]), strict=True):
            rows[i] = replace(rows[i], p_adjusted=round(p, 6))
    return rows


def _pairs(table: Table, plan: Plan) -> Iterator[tuple[Cell, Cell]]:
    """The cells to compare: along the models within each condition, then across conditions."""
    for condition in dict.fromkeys(condition for _, condition in table.cells):
        for a, b in plan.steps:
            yield (a, condition), (b, condition)
    yield from plan.across
