"""A plan for several processes: each step trains on the same rows, its micro-batches are dealt out in turn."""

from __future__ import annotations

import math
from dataclasses import replace

from ozfig.tune.plan import Plan
from ozfig.tune.tokens import IGNORED, Row

SILENT = 2  # tokens of a row without a loss


def divide(plan: Plan, processes: int) -> Plan:
    """The plan with as many micro-batches in every step, a multiple of the processes.

    The largest are cut in two until there are enough; where a step has too few rows for that, micro-batches
    without a loss keep the others company. The sum of a step's losses stays what it is.
    """
    if processes == 1:
        return plan
    per_step = math.ceil(plan.per_step / processes) * processes
    starts = range(0, len(plan.order), plan.per_step)
    steps = [[plan.sequences[i] for i in plan.order[at : at + plan.per_step]] for at in starts]
    sequences = [sequence for step in steps for sequence in _spread(step, per_step)]
    return replace(plan, sequences=sequences, order=list(range(len(sequences))), per_step=per_step)


def _spread(step: list[list[Row]], n: int) -> list[list[Row]]:
    """The rows of a step in `n` micro-batches, the largest first, so that those of one round are about as large."""
    step = [*step]
    while len(step) < n:
        most = max(step, key=lambda sequence: (len(sequence) > 1, _size(sequence)))
        if len(most) == 1:
            step.append([_silent(most[0])])
            continue
        step.remove(most)
        step += [most[::2], most[1::2]]
    return sorted(step, key=_size, reverse=True)


def _size(sequence: list[Row]) -> int:
    return sum(row.longest for row in sequence)


def _silent(row: Row) -> Row:
    """A short row like another, of which nothing is learned."""
    short = {name: values[:SILENT] for name, values in vars(row).items() if name != "labels"}
    return replace(row, labels=[IGNORED] * SILENT, **short)
