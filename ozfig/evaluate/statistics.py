"""What n questions can show: means with standard errors, paired differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z95 = 1.959964
CELLS = 4_000_000  # resampled values held at once


class Difference(NamedTuple):
    """The mean of b - a with its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float


def mean_and_stderr(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, s / sqrt(n). Raises ValueError for fewer than two values."""
    if len(values) < 2:
        raise ValueError("a standard error needs at least two values")
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(len(array)))


def paired_bootstrap(a: Sequence[float], b: Sequence[float], resamples: int = 10_000, seed: int = 7) -> Difference:
    """Resample questions with their pair of values (Efron and Tibshirani 1993) and look at the mean of b - a.

    The interval is the 2.5th to the 97.5th percentile. p is twice the smaller share of resampled means on
    either side of zero, with one added to both counts, so that it is never 0.

    Raises ValueError for lists of different length or fewer than two pairs.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError("a paired comparison needs two lists of the same length, of at least two values")
    gaps = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    random, n = np.random.default_rng(seed), len(gaps)
    step = max(1, CELLS // n)
    means = np.concatenate(
        [
            gaps[random.integers(0, n, size=(min(step, resamples - done), n))].mean(axis=1)
            for done in range(0, resamples, step)
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    tail = 1 + min(int((means <= 0).sum()), int((means >= 0).sum()))
    return Difference(float(gaps.mean()), float(low), float(high), min(1.0, 2 * tail / (resamples + 1)))


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


def ratio_and_stderr(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, float]:
    """sum(numerators) / sum(denominators) and its standard error by the delta method, one unit a pair.

    Cochran 1977, section 6.3. Raises ValueError for fewer than two pairs.
    """
    if len(numerators) < 2:
        raise ValueError("a standard error needs at least two values")
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    n, total = len(top), bottom.sum()
    ratio = top.sum() / total
    residual = ((top - ratio * bottom) ** 2).sum()
    return float(ratio), float(math.sqrt(n / (n - 1) * residual) / total)
