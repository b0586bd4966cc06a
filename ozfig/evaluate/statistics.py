"""What n questions can show: means with standard errors, paired differences with intervals.

Questions about one document are no independent trials: who answers one rightly tends to answer the next.
Where `clusters` names each value's document, errors and intervals are of documents, not of questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

Z95 = 1.959964
CELLS = 4_000_000  # resampled values held at once
Values = Sequence[float] | np.ndarray


class Difference(NamedTuple):
    """The mean of b - a with its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float

    def rounded(self) -> Difference:
        """The figures as a report writes them."""
        return Difference(*(round(value, 6) for value in self))


def mean_and_stderr(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> tuple[float, float]:
    """The mean and its standard error: s / sqrt(n), or over clusters (see `ratio_and_stderr`).

    Raises ValueError for fewer than two values or clusters.
    """
    return ratio_and_stderr(*grouped(values, clusters))


def grouped(values: Values, clusters: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each cluster, of shape (clusters,); each value is its own without a name."""
    array = np.asarray(values, dtype=np.float64)
    if clusters is None:
        return array, np.ones_like(array)
    place = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    at = [place[name] for name in clusters]
    return np.bincount(at, weights=array), np.bincount(at).astype(np.float64)


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    resamples: int = 10_000,
    seed: int = 7,
    clusters: Sequence[Hashable] | None = None,
) -> Difference:
    """Resample questions, or whole clusters, with their pair of values and look at the mean of b - a.

    Efron and Tibshirani 1993; Davison and Hinkley 1997, section 3.8, for clusters. The interval is the 2.5th to
    the 97.5th percentile. p is twice the smaller share of resampled means on either side of zero, with one added
    to both counts, so that it is never 0.

    Raises ValueError for lists of different length or fewer than two pairs or clusters.
    """
    if len(a) != len(b):
        raise ValueError("a paired comparison needs two lists of the same length")
    sums, sizes = grouped(np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64), clusters)
    drawn = _drawn(np.stack([sums, sizes]), resamples, seed)
    return _difference(sums.sum() / sizes.sum(), drawn[0] / drawn[1])


def paired_ratios(
    a: Sequence[float],
    b: Sequence[float],
    sizes: Sequence[float],
    form: Callable[[Any], Any],
    resamples: int = 10_000,
    seed: int = 7,
) -> Difference:
    """The bootstrap of form(sum of b / sum of sizes) - form(sum of a / sum of sizes), resampling units.

    Such as the windows of a text with their summed losses and tokens; with exp the difference is of perplexities.
    Raises ValueError for lists of different length or fewer than two units.
    """
    if not len(a) == len(b) == len(sizes):
        raise ValueError("a paired comparison needs lists of the same length")
    columns = np.asarray([a, b, sizes], dtype=np.float64)
    first, second, size = _drawn(columns, resamples, seed)
    total = columns.sum(axis=1)
    return _difference(form(total[1] / total[2]) - form(total[0] / total[2]), form(second / size) - form(first / size))


def _drawn(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Each column's sum over n units drawn with replacement: (columns, n) becomes (columns, resamples)."""
    random, n = np.random.default_rng(seed), columns.shape[1]
    if n < 2:
        raise ValueError("a paired comparison needs at least two values or clusters")
    step = max(1, CELLS // n)
    sums = []
    for done in range(0, resamples, step):
        units = random.integers(0, n, size=(min(step, resamples - done), n))
        sums.append(np.stack([column[units].sum(axis=1) for column in columns]))
    return np.concatenate(sums, axis=1)


def _difference(observed: float, resampled: np.ndarray) -> Difference:
    """The observed value with the interval and p that its resampled values give."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    tail = 1 + min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    return Difference(float(observed), float(low), float(high), min(1.0, 2 * tail / (len(resampled) + 1)))


def mcnemar(a: Sequence[float], b: Sequence[float]) -> float:
    """Exact two-sided p for two models that are right (1) or wrong (0) on the same questions.

    McNemar 1947 with the binomial distribution: of the questions that only one of them has right, each model has
    half by chance. 1.0 where they never differ. Raises ValueError for lists of different length.
    """
    won = sum(y > x for x, y in zip(a, b, strict=True))
    differing = won + sum(y < x for x, y in zip(a, b, strict=True))
    term: int = 1
    tail: int = 1
    for k in range(min(won, differing - won)):
        term = term * (differing - k) // (k + 1)
        tail += term
    return float(min(1.0, 2 * tail / 2**differing))


def holm(ps: Sequence[float]) -> list[float]:
    """p values adjusted for their number: below 0.05, the chance of any false claim among them is below 0.05.

    Holm 1979: the smallest is multiplied by their number, the next by one less, and none falls below the last.
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, ps[i] * (len(ps) - rank)))
        adjusted[i] = highest
    return adjusted


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of `right` among `n`: Wilson 1927, which holds near 0 and 1 too.

    Raises ValueError for no trial.
    """
    if n < 1:
        raise ValueError("a share needs at least one trial")
    z2, share = Z95**2, right / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) * Z95 / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def ratio_and_stderr(numerators: Values, denominators: Values) -> tuple[float, float]:
    """sum(numerators) / sum(denominators) and its standard error by the delta method, one unit a pair.

    Cochran 1977, section 6.3; with sums and sizes of clusters it is the cluster-robust error of a mean.
    Raises ValueError for fewer than two pairs.
    """
    if len(numerators) < 2:
        raise ValueError("a standard error needs at least two values")
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    n, total = len(top), bottom.sum()
    ratio = top.sum() / total
    residual = ((top - ratio * bottom) ** 2).sum()
    return float(ratio), float(math.sqrt(n / (n - 1) * residual) / total)
