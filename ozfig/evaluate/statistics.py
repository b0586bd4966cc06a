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
FEW = 30  # units below which a percentile bootstrap's interval is too narrow
SMALL = 0.05  # the p of a 95 % interval that ends at zero
CELLS = 4_000_000  # resampled values held at once
Values = Sequence[float] | np.ndarray
Statistic = Callable[[np.ndarray], Any]  # of the columns' sums, shape (columns, ...)


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


def method(units: int) -> str:
    """What a comparison of so many units gets its interval from: `t` where they are few, else `bootstrap`."""
    return "t" if units < FEW else "bootstrap"


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    resamples: int = 10_000,
    seed: int = 7,
    clusters: Sequence[Hashable] | None = None,
) -> Difference:
    """The mean of b - a over questions; where `clusters` names documents, whole ones are the units.

    See `_compared` for the interval and p. Raises ValueError for lists of different length or fewer than two pairs
    or clusters.
    """
    if len(a) != len(b):
        raise ValueError("a paired comparison needs two lists of the same length")
    gaps, sizes = grouped(np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64), clusters)
    return _compared(np.stack([gaps, sizes]), lambda sums: sums[0] / sums[1], gaps, resamples, seed)


def paired_ratios(
    a: Sequence[float],
    b: Sequence[float],
    sizes: Sequence[float],
    form: Callable[[Any], Any],
    resamples: int = 10_000,
    seed: int = 7,
) -> Difference:
    """form(sum of b / sum of sizes) - form(sum of a / sum of sizes), compared by units.

    Such as the windows of a text with their summed losses and tokens; with exp the difference is of perplexities.
    Raises ValueError for lists of different length or fewer than two units.
    """
    if not len(a) == len(b) == len(sizes):
        raise ValueError("a paired comparison needs lists of the same length")
    columns = np.asarray([a, b, sizes], dtype=np.float64)

    def change(sums: np.ndarray) -> Any:
        return form(sums[1] / sums[2]) - form(sums[0] / sums[2])

    return _compared(columns, change, columns[1] - columns[0], resamples, seed)


def _compared(columns: np.ndarray, of: Statistic, gaps: np.ndarray, resamples: int, seed: int) -> Difference:
    """A function of the columns' sums over units, with the interval and p that its units give.

    A percentile interval of few units is too narrow, so below FEW it is Student's. p is never smaller than the
    exact sign-flip test can give, in which each of the units that differ (`gaps`) may have either sign: where
    4 of 200 differ, all one way, that happens by chance in 2 of 16 cases.
    """
    if columns.shape[1] < 2:
        raise ValueError("a paired comparison needs at least two values or clusters")
    found = _student(columns, of) if columns.shape[1] < FEW else _bootstrap(columns, of, resamples, seed)
    return found._replace(p=max(found.p, min(1.0, 2 * 0.5 ** int(np.count_nonzero(gaps)))))


def _student(columns: np.ndarray, of: Statistic) -> Difference:
    """Student's t interval on the jackknife's standard error (Efron and Tibshirani 1993, chapter 11).

    Of a plain mean that error is s / sqrt(n), and the test the paired t test.
    """
    n, sums = columns.shape[1], columns.sum(axis=1)
    value, without = float(of(sums)), of(sums[:, None] - columns)
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    t = abs(value) / error if error else math.inf if value else 0.0
    half = t95(n - 1) * error
    return Difference(value, value - half, value + half, t_tail(t, n - 1))


def t_tail(t: float, df: int) -> float:
    """How likely |T| > t is for Student's T with `df` degrees of freedom: Abramowitz and Stegun 26.7.3, 26.7.4."""
    angle = math.atan(t / math.sqrt(df))
    odd, cosine = df % 2, math.cos(angle)
    term, terms = (cosine if odd else 1.0), 0.0
    for j in range(2 + odd, df + 2, 2):
        terms += term
        term *= cosine**2 * (j - 1) / j
    inside = math.sin(angle) * terms
    return max(0.0, 1 - (2 / math.pi * (angle + inside) if odd else inside))


def t95(df: int) -> float:
    """The t beyond which 5 % lie on both sides together, by bisection; 12.706 for one degree of freedom."""
    low, high = 1.0, 20.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > SMALL else (low, middle)
    return high


def _bootstrap(columns: np.ndarray, of: Statistic, resamples: int, seed: int) -> Difference:
    """The percentile bootstrap, which draws units with replacement.

    Efron and Tibshirani 1993; Davison and Hinkley 1997, section 3.8, for clusters. The interval is the 2.5th to
    the 97.5th percentile. p is twice the smaller share of resampled values on either side of zero, with one added
    to both counts, so that it is never 0.
    """
    resampled = of(_drawn(columns, resamples, seed))
    low, high = np.percentile(resampled, [2.5, 97.5])
    tail = 1 + min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    p = min(1.0, 2 * tail / (len(resampled) + 1))
    return Difference(float(of(columns.sum(axis=1))), float(low), float(high), p)


def _drawn(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Each column's sum over n units drawn with replacement: (columns, n) becomes (columns, resamples)."""
    random, n = np.random.default_rng(seed), columns.shape[1]
    step = max(1, CELLS // n)
    sums = []
    for done in range(0, resamples, step):
        units = random.integers(0, n, size=(min(step, resamples - done), n))
        sums.append(np.stack([column[units].sum(axis=1) for column in columns]))
    return np.concatenate(sums, axis=1)


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
