import gzip
import json
import os
from pathlib import Path

import pytest

from ozfig.evaluate.metrics import answer_words, exact_match, smoothed_bleu4, token_f1

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[3] / "shared/data"))


def test_exact_match_forgives_case_articles_punctuation_and_spaces():
    assert exact_match(" The  quick, Fox! ", ["a quick fox"]) == 1.0
    assert exact_match("quick fox jumps", ["quick fox"]) == 0.0
    assert exact_match("theatre", "the atre") == 0.0


def test_f1_is_the_overlap_of_words_and_the_best_reference_counts():
    assert token_f1("four working days", ["days"]) == pytest.approx(0.5)
    assert token_f1("four working days", ["days", "four days"]) == pytest.approx(0.8)
    assert token_f1("", ["days"]) == 0.0
    assert token_f1("no no", "no") == pytest.approx(2 / 3)


def test_answer_words():
    assert answer_words("four  working\ndays") == 3.0


def test_bleu_of_equal_and_of_disjoint_sentences():
    assert smoothed_bleu4(["return the sum of two numbers"], ["Return the sum of two numbers"]) == pytest.approx(100)
    assert smoothed_bleu4(["completely other words here"], ["return the sum"]) < 1e-6
    assert smoothed_bleu4(["read a file"], [["write it", "read a file"]]) == pytest.approx(100)


def test_bleu_by_hand():
    # 4 of 5 words; 3 of 4 pairs, 2 of 3 triples, 1 of 2 fours, each with one added above and below; equal lengths
    expected = 100 * (4 / 5 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert smoothed_bleu4(["a b c d x"], ["a b c d e"]) == pytest.approx(expected)


def test_bleu_needs_something_to_score():
    with pytest.raises(ValueError, match="no predictions"):
        smoothed_bleu4([], [])


def test_squad_predictions_score_as_published():
    folder = DATA / "squad"
    if not folder.exists():
        pytest.skip("needs the SQuAD files: set OZFIG_DATA")
    articles = json.loads(gzip.decompress((folder / "dev-v1.1.json.gz").read_bytes()))["data"]
    said = json.loads((folder / "predictions/bert_ensemble.json").read_text())
    asked = [q for article in articles for p in article["paragraphs"] for q in p["qas"]]
    pairs = [(said[q["id"]], [a["text"] for a in q["answers"]]) for q in asked]
    assert len(pairs) == 10_570
    assert 100 * sum(exact_match(*pair) for pair in pairs) / len(pairs) == pytest.approx(86.206, abs=5e-4)
    assert 100 * sum(token_f1(*pair) for pair in pairs) / len(pairs) == pytest.approx(92.196, abs=5e-4)


def test_codexglue_example_scores_as_its_readme_says():
    folder = DATA / "benchmarks/codexglue_code_to_text/evaluator_example"
    if not folder.exists():
        pytest.skip("needs the CodeXGLUE example: set OZFIG_DATA")
    said, wanted = (
        [line.split("\t")[1].strip() for line in (folder / name).read_text().splitlines()]
        for name in ("predictions.txt", "reference.txt")
    )
    assert smoothed_bleu4(said, wanted) == pytest.approx(9.554726113590661, abs=1e-9)
