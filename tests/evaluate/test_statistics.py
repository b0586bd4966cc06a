import math

import numpy as np
import pytest

from ozfig.evaluate import statistics
from ozfig.evaluate.results import Plan, paired
from ozfig.evaluate.statistics import (
    holm,
    mcnemar,
    mean_and_stderr,
    paired_difference,
    paired_ratios,
    ratio_and_stderr,
    t95,
    t_tail,
)
from ozfig.types import Comparison


def test_mean_and_stderr():
    assert mean_and_stderr([0, 1, 0, 1]) == pytest.approx((0.5, math.sqrt(1 / 3) / 2))
    with pytest.raises(ValueError, match="two values"):
        mean_and_stderr([1.0])


def test_the_interval_is_the_normal_one_where_that_holds():
    random = np.random.default_rng(1)
    before, gap = random.normal(size=800), random.normal(0.1, 0.5, size=800)
    found = paired_difference(before, before + gap)
    _, stderr = mean_and_stderr(gap)
    assert found.difference == pytest.approx(gap.mean())
    assert found.low == pytest.approx(gap.mean() - 1.96 * stderr, abs=0.003)
    assert found.high == pytest.approx(gap.mean() + 1.96 * stderr, abs=0.003)


def test_p_agrees_with_the_normal_test():
    random = np.random.default_rng(2)
    gap = random.normal(0.06, 0.5, size=300)
    gap_mean, stderr = mean_and_stderr(gap)
    expected = math.erfc(abs(gap_mean) / stderr / math.sqrt(2))
    assert paired_difference(np.zeros(300), gap).p == pytest.approx(expected, abs=0.01)


def test_extremes():
    assert paired_difference([1, 2, 3], [1, 2, 3], 1000) == (0, 0, 0, 1)
    won = paired_difference([0, 0, 0], [1, 1, 1], 999)
    assert (won.low, won.high, won.p) == (1, 1, 2 / 8)
    lost = paired_difference([1, 1, 1], [0, 0, 0], 999)
    assert (lost.difference, lost.p) == (-1, 2 / 8)
    assert paired_difference([0] * 40, [1] * 40, 999).p == 2 / 1000
    with pytest.raises(ValueError, match="same length"):
        paired_difference([1, 2], [1, 2, 3])


def test_the_same_seed_gives_the_same_figures_in_any_chunks(monkeypatch):
    values = np.random.default_rng(3).normal(size=(2, 50))
    whole = paired_difference(*values, resamples=2000)
    assert paired_difference(*values, resamples=2000) == whole
    assert paired_difference(*values, resamples=2000, seed=8) != whole
    monkeypatch.setattr(statistics, "CELLS", 5000)
    assert paired_difference(*values, resamples=2000) == pytest.approx(whole, abs=0.02)


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


def clustered(random, documents=40, spread=0.3):
    """Gaps of documents with 2 to 12 questions each: a document's own gap, zero on average, and noise."""
    sizes = random.integers(2, 13, size=documents)
    names = np.repeat(np.arange(documents), sizes)
    return random.normal(0, spread, size=documents)[names] + random.normal(0, 0.3, size=len(names)), names.tolist()


def test_the_interval_covers_the_truth_of_clustered_questions_and_one_without_clusters_does_not():
    random = np.random.default_rng(11)
    covered, naive, runs = 0, 0, 400
    for _ in range(runs):
        gaps, names = clustered(random)
        zeros = np.zeros(len(gaps))
        with_documents = paired_difference(zeros, gaps, 1000, clusters=names)
        without = paired_difference(zeros, gaps, 1000)
        covered += with_documents.low <= 0 <= with_documents.high
        naive += without.low <= 0 <= without.high
    assert 0.92 <= covered / runs <= 0.98
    assert naive / runs < 0.85


def test_the_error_over_clusters_is_what_repeated_sampling_shows():
    random = np.random.default_rng(12)
    drawn = [clustered(random) for _ in range(1500)]
    spread = np.std([gaps.mean() for gaps, _ in drawn])
    assert np.mean([mean_and_stderr(*pair)[1] for pair in drawn[:300]]) == pytest.approx(spread, rel=0.07)
    assert mean_and_stderr([1, 2, 4], ["a", "b", "c"]) == mean_and_stderr([1, 2, 4])


def test_clusters_of_one_question_change_nothing():
    values = np.random.default_rng(6).normal(size=(2, 60))
    assert paired_difference(*values, 1000, clusters=list(range(60))) == paired_difference(*values, 1000)
    with pytest.raises(ValueError, match="clusters"):
        paired_difference(*values, clusters=["one"] * 60)


def is_claimed(a, b, clusters=None):
    """Whether a report would call the difference a result."""
    figures, test = paired(a, b, Plan(resamples=1000), clusters)
    return not Comparison("base", "tuned", "held_out", "closed_book", "f1", len(a), *figures, test).is_noise


@pytest.mark.parametrize("documents", [2, 5, 8])
def test_few_documents_seldom_make_noise_a_result(documents):
    random, runs = np.random.default_rng(0), 200
    names = np.repeat(np.arange(documents), 40)
    claims = 0
    for _ in range(runs):
        gaps = random.normal(0, 0.15, documents)[names] + random.normal(0, 0.3, len(names))
        claims += is_claimed(np.zeros(len(names)).tolist(), gaps.tolist(), names.tolist())
    assert claims / runs <= 0.08


def test_a_few_differences_all_one_way_are_no_result():
    def differing(k):
        return [0.5] * 200, [0.5 + 0.25 * (i < k) for i in range(200)]

    assert [is_claimed(*differing(k)) for k in (4, 5, 6)] == [False, False, True]
    assert paired_difference(*differing(4)).p == 2 / 16


def test_few_questions_are_compared_by_the_paired_t_test():
    ttest = pytest.importorskip("scipy.stats").ttest_rel
    a, b = np.random.default_rng(21).normal(0.3, 1, size=(2, 12))
    theirs, found = ttest(b, a), paired_difference(a, b)
    assert found[1:] == pytest.approx((*theirs.confidence_interval(), theirs.pvalue), rel=1e-6)
    assert paired(a, b, Plan(), None)[1] == "t"
    assert paired([*a] * 3, [*b] * 3, Plan(), None)[1] == "bootstrap"


def test_student_is_scipys():
    student = pytest.importorskip("scipy.stats").t
    for df in range(1, 30):
        assert t95(df) == pytest.approx(student.ppf(0.975, df), rel=1e-8)
        for t in (0, 0.3, 1.7, 6, 40):
            assert t_tail(t, df) == pytest.approx(2 * student.sf(t, df), rel=1e-6, abs=1e-13)
    assert t_tail(math.inf, 4) == pytest.approx(0)


def test_few_windows_are_judged_as_strictly():
    random, runs, claims = np.random.default_rng(5), 300, 0
    for _ in range(runs):
        tokens = random.integers(200, 260, size=6)
        before = tokens * 3 + random.normal(0, 20, size=6)
        found = paired_ratios(before, before + random.normal(0, 8, size=6), tokens, np.exp, 1000)
        claims += not found.low <= 0 <= found.high and found.p < 0.05
    assert claims / runs <= 0.08


def test_mcnemar_is_the_binomial_test():
    binomtest = pytest.importorskip("scipy.stats").binomtest
    random = np.random.default_rng(7)
    for n in (1, 5, 40, 3000):
        a, b = random.integers(0, 2, size=(2, n)).tolist()
        won, lost = sum(y > x for x, y in zip(a, b)), sum(y < x for x, y in zip(a, b))  # noqa: B905
        expected = binomtest(won, won + lost).pvalue if won + lost else 1.0
        assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar([0] * 5, [1] * 5) == 2 / 32
    assert mcnemar([1, 0], [1, 0]) == 1.0


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_false_claims_rare():
    ps = np.random.default_rng(8).uniform(size=(2000, 12))
    assert np.mean([min(holm(row)) < 0.05 for row in ps]) == pytest.approx(0.05, abs=0.012)
    assert np.mean(ps.min(axis=1) < 0.05) > 0.4


def test_ratios_are_compared_by_units():
    random = np.random.default_rng(9)
    tokens = random.integers(200, 260, size=80)
    before = tokens * 3 + random.normal(0, 20, size=80)
    after = before - tokens * 0.1 + random.normal(0, 5, size=80)
    found = paired_ratios(before, after, tokens, np.exp, 2000)
    assert found.difference == pytest.approx(
        math.exp(after.sum() / tokens.sum()) - math.exp(before.sum() / tokens.sum())
    )
    assert found.low < found.difference < found.high < 0
    # with equal units and no form it is the bootstrap of means
    plain = paired_ratios(before, after, np.ones(80), lambda x: x, 2000)
    assert plain == pytest.approx(paired_difference(before, after, 2000))
    with pytest.raises(ValueError, match="same length"):
        paired_ratios([1], [1, 2], [1, 2], np.exp)
