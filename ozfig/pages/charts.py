"""Charts as inline SVG. Lengths are percentages, so that a chart fits any width while its type keeps its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

POINTS_DRAWN = 240  # a curve keeps its shape with so many points
_NOTHING = Markup()


def bar(value: float, low: float, high: float, top: float, name: str) -> Markup:
    """A bar from zero with its interval, on an axis that ends at `top`; `name` is its colour."""
    at, left, right = (f"{100 * min(max(x, 0.0), top) / top:.2f}%" for x in (value, low, high))
    return Markup(
        '<svg class="bar" width="100%" height="20" aria-hidden="true">'
        '<rect class="track" width="100%" height="12" y="4" rx="3"/>'
        '<rect width="{at}" height="12" y="4" rx="3" fill="var(--{name})"/>'
        '<g class="err"><line x1="{left}" x2="{right}" y1="10" y2="10"/>'
        '<line x1="{left}" x2="{left}" y1="6" y2="14"/><line x1="{right}" x2="{right}" y1="6" y2="14"/></g></svg>'
    ).format(at=at, left=left, right=right, name=name)


def curve(xs: Sequence[float], ys: Sequence[float], top: float, more: Markup = _NOTHING) -> Markup:
    """A noisy line and its running mean over an area of fixed height; x from the first to the last, y from zero.

    `more` is drawn over it, in a square of 1,000 by 1,000.
    """
    xs, ys = _thinned(xs, ys)
    smooth = running_mean(ys, max(2, len(ys) // 8))
    return Markup(
        '<svg class="curve" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="grid" d="M0 250H1000M0 500H1000M0 750H1000"/>'
        '<path class="raw" d="{raw}"/><path class="line" d="{line}"/>{more}</svg>'
    ).format(raw=_path(xs, ys, top), line=_path(xs, smooth, top), more=more)


def training(losses: Sequence[float], tokens: Sequence[int], steps: int) -> dict[str, Any]:
    """The training loss over tokens with what stands at its axes, as pages show it."""
    top = nice_top(max(losses))
    smooth = running_mean(losses, max(2, len(losses) // 8))
    return {
        "svg": curve(tokens, losses, top),
        "ticks": [f"{top * share:g}" for share in (1, 0.75, 0.5, 0.25, 0)],
        "tokens": f"{tokens[-1]:,}",
        "half": f"{tokens[-1] // 2:,}",
        "steps": f"{steps:,}",
        "first": f"{losses[0]:.2f}",
        "last": f"{smooth[-1]:.2f}",
    }


def nice_top(highest: float) -> float:
    """The end of an axis from zero: a round number that four steps divide well."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if step * power >= highest * 0.999)


def running_mean(values: Sequence[float], span: int) -> list[float]:
    """An exponential mean with its early values weighted rightly, so that it starts where the data starts."""
    keep, total, weight, found = 1 - 2 / (span + 1), 0.0, 0.0, []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        found.append(total / weight)
    return found


def _thinned(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """The points, or the means of runs of them where there are too many to draw."""
    size = -(-len(xs) // POINTS_DRAWN)
    runs = range(0, len(xs), size)
    return [_mean(xs[i : i + size]) for i in runs], [_mean(ys[i : i + size]) for i in runs]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _path(xs: Sequence[float], ys: Sequence[float], top: float) -> str:
    span = (xs[-1] - xs[0]) or 1
    points = (f"{1000 * (x - xs[0]) / span:.1f} {1000 * (1 - y / top):.1f}" for x, y in zip(xs, ys, strict=True))
    return "M" + "L".join(points)


def share(fraction: float) -> Markup:
    """A bar of a share from 0 to 1."""
    return Markup(
        '<svg class="bar" width="100%" height="12" aria-hidden="true"><rect class="track" width="100%" height="12" '
        'rx="3"/><rect width="{width:.2f}%" height="12" rx="3" fill="var(--accent)"/></svg>'
    ).format(width=100 * min(max(fraction, 0.0), 1.0))


def histogram(series: Sequence[Sequence[float]], colours: Sequence[str]) -> Markup:
    """Columns side by side: one group for each bin, in it one column for each series, in the colour of its name."""
    top = max((value for values in series for value in values), default=0) or 1
    bins, width = len(series[0]), 0.8 / len(series)
    columns = Markup("").join(
        Markup('<rect x="{x:.2f}%" y="{y:.2f}%" width="{w:.2f}%" height="{h:.2f}%" fill="var(--{name})"/>').format(
            x=100 * (i + 0.1 + k * width) / bins,
            y=100 * (1 - value / top),
            w=100 * width / bins * 0.94,
            h=100 * value / top,
            name=colours[k],
        )
        for k, values in enumerate(series)
        for i, value in enumerate(values)
    )
    return Markup('<svg class="columns" width="100%" height="120" aria-hidden="true">{columns}</svg>').format(
        columns=columns
    )
