import random

import pytest

from ozfig.evaluate.ngrams import chrf, rouge_l

PAIRS = [
    ("The boat stays four working days.", ["A stay is four working days", "four days"]),
    ("", ["tide"]),
    ("tide", ["", "the tide"]),
    ("x", ["y"]),
    ("Émigré naïve 漢字", ["emigre naive", "émigré naïve"]),
]


def random_pairs():
    draw = random.Random(3)

    def text():
        return "".join(draw.choice("ab c,é") for _ in range(draw.randrange(12)))

    return [(text(), [text() for _ in range(draw.randrange(1, 3))]) for _ in range(300)]


def test_rouge_l_is_the_packages():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    for said, known in PAIRS + random_pairs():
        assert rouge_l(said, known) == pytest.approx(scorer.score_multi(known, said)["rougeL"].fmeasure, abs=1e-12)


def test_chrf_is_sacrebleus():
    sentence_chrf = pytest.importorskip("sacrebleu").sentence_chrf
    for said, known in PAIRS + random_pairs():
        assert chrf(said, known) == pytest.approx(sentence_chrf(said, known).score / 100, abs=1e-12)


def test_by_hand():
    # four words in order of five and six
    assert rouge_l("a stay is four days", "the stay is of four days") == pytest.approx(2 * 4 / 11)
    assert chrf("abc", ["zzz", "abc"]) == 1.0
    # letters 2 of 2 and 2 of 4, pairs 1 of 1 and 1 of 3
    precision, recall = 1.0, (1 / 2 + 1 / 3) / 2
    assert chrf("ab", "abcd") == pytest.approx(5 * precision * recall / (4 * precision + recall))
