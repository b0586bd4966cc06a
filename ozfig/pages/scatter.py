"""A few named points with error bars. Lengths across are percentages, so that type keeps its size on any width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

HEIGHT, LANE = 150, 17  # pixels: the plot, and a line of names above it
NARROW = 270  # pixels of the plot on a phone: names must not collide there
LETTER = 7.0  # pixels of a letter of a name, about
LEFT, WIDTH = 5.0, 88.0  # per cent: where x = 0 stands, and how far the largest x is from it


class Dot(NamedTuple):
    """A point with its interval upwards and downwards; `colour` is the name of a colour."""

    name: str
    x: float
    y: float
    low: float
    high: float
    colour: str


class Scale(NamedTuple):
    """An axis between two round numbers, with the round numbers on it, the highest first."""

    low: float
    high: float
    ticks: list[float]


def scale(low: float, high: float) -> Scale:
    """The smallest axis of at most five round steps that holds both ends."""
    high = high if high > low else low + max(abs(low), 1.0) / 10
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if span / (s * power) <= 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, [round(i * step, 10) for i in range(last, first - 1, -1)])


def scatter(dots: Sequence[Dot], axis: Scale, right: float, level: float | None = None) -> Markup:
    """The points over x from 0 to `right`; `level` is a y that they are compared with, drawn as a dashed line."""
    lanes = _lanes(dots, right)
    above = LANE * (max(lanes) + 1) + 4

    def y(value: float) -> str:
        return f"{above + HEIGHT * (axis.high - value) / (axis.high - axis.low):.1f}"

    parts = [_line("0%", "100%", y(tick), y(tick), "grid") for tick in axis.ticks]
    parts += [_line("0%", "100%", y(level), y(level), "level")] if level is not None else []
    for dot, lane in zip(dots, lanes, strict=True):
        x, text = _at(dot.x, right), LANE * (lane + 1) - 4
        parts += [
            _line(f"{x:.2f}%", f"{x:.2f}%", str(text + 4), y(dot.high), "leader"),
            _line(f"{x:.2f}%", f"{x:.2f}%", y(dot.low), y(dot.high), "err"),
            Markup('<circle cx="{x:.2f}%" cy="{y}" r="5" fill="var(--{c})"/>').format(x=x, y=y(dot.y), c=dot.colour),
            Markup('<text x="{x:.2f}%" y="{y}" text-anchor="{anchor}">{name}</text>').format(
                x=x, y=text, anchor=_anchor(x), name=dot.name
            ),
        ]
    return Markup('<svg class="scatter" width="100%" height="{height}" aria-hidden="true">{parts}</svg>').format(
        height=above + HEIGHT + 1, parts=Markup("").join(parts)
    )


def _at(x: float, right: float) -> float:
    return LEFT + WIDTH * x / right


def _anchor(at: float) -> str:
    return "start" if at < 15 else "end" if at > 85 else "middle"


def _lanes(dots: Sequence[Dot], right: float) -> list[int]:
    """For each point the line of its name: the one nearest to the plot where no other name stands in its way."""
    taken: list[list[tuple[float, float]]] = []
    found = []
    for dot in dots:
        at, length = _at(dot.x, right), len(dot.name) * LETTER
        middle = at / 100 * NARROW
        start = middle - length * {"start": 0, "middle": 0.5, "end": 1}[_anchor(at)]
        ends = start - 4, start + length + 4
        lane = next((i for i, row in enumerate(taken) if all(ends[1] < a or b < ends[0] for a, b in row)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(ends)
        found.append(lane)
    return [max(found) - lane for lane in found]


def _line(x1: str, x2: str, y1: str, y2: str, kind: str) -> Markup:
    return Markup('<line class="{kind}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>').format(
        kind=kind, x1=x1, x2=x2, y1=y1, y2=y2
    )
