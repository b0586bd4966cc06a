import math

import numpy as np
import pytest

from ozfig.evaluate import statistics
from ozfig.evaluate.statistics import mean_and_stderr, paired_bootstrap, ratio_and_stderr


def test_mean_and_stderr():
    assert mean_and_stderr([0, 1, 0, 1]) == pytest.approx((0.5, math.sqrt(1 / 3) / 2))
    with pytest.raises(ValueError, match="two values"):
        mean_and_stderr([1.0])


def test_bootstrap_interval_is_the_normal_one_where_that_holds():
    random = np.random.default_rng(1)
    before, gap = random.normal(size=800), random.normal(0.1, 0.5, size=800)
    found = paired_bootstrap(before, before + gap)
    _, stderr = mean_and_stderr(gap)
    assert found.difference == pytest.approx(gap.mean())
    assert found.low == pytest.approx(gap.mean() - 1.96 * stderr, abs=0.003)
    assert found.high == pytest.approx(gap.mean() + 1.96 * stderr, abs=0.003)


def test_p_agrees_with_the_normal_test():
    random = np.random.default_rng(2)
    gap = random.normal(0.06, 0.5, size=300)
    gap_mean, stderr = mean_and_stderr(gap)
    expected = math.erfc(abs(gap_mean) / stderr / math.sqrt(2))
    assert paired_bootstrap(np.zeros(300), gap).p == pytest.approx(expected, abs=0.01)


def test_extremes():
    assert paired_bootstrap([1, 2, 3], [1, 2, 3], 1000) == (0, 0, 0, 1)
    won = paired_bootstrap([0, 0, 0], [1, 1, 1], 999)
    assert (won.low, won.high, won.p) == (1, 1, 2 / 1000)
    lost = paired_bootstrap([1, 1, 1], [0, 0, 0], 999)
    assert (lost.difference, lost.p) == (-1, 2 / 1000)
    with pytest.raises(ValueError, match="same length"):
        paired_bootstrap([1, 2], [1, 2, 3])


def test_the_same_seed_gives_the_same_figures_in_any_chunks(monkeypatch):
    values = np.random.default_rng(3).normal(size=(2, 50))
    whole = paired_bootstrap(*values, resamples=2000)
    assert paired_bootstrap(*values, resamples=2000) == whole
    assert paired_bootstrap(*values, resamples=2000, seed=8) != whole
    monkeypatch.setattr(statistics, "CELLS", 5000)
    assert paired_bootstrap(*values, resamples=2000) == pytest.approx(whole, abs=0.02)


def test_a_ratio_with_equal_denominators_is_a_mean():
    mean, stderr = mean_and_stderr([1.0, 2.0, 4.0])
    assert ratio_and_stderr([5.0, 10.0, 20.0], [5, 5, 5]) == pytest.approx((mean, stderr))


def test_the_error_of_a_ratio_is_what_repeated_sampling_shows():
    random = np.random.default_rng(4)
    tokens = random.integers(2, 40, size=(3000, 60))
    nats = tokens * 2.0 + random.normal(size=tokens.shape) * np.sqrt(tokens) * 1.5
    spread = (nats.sum(axis=1) / tokens.sum(axis=1)).std()
    errors = [ratio_and_stderr(n, t)[1] for n, t in zip(nats[:200], tokens[:200], strict=True)]
    assert np.mean(errors) == pytest.approx(spread, rel=0.05)
