import gzip
import json
import os
from pathlib import Path

import pytest

from ozfig.evaluate.metrics import (
    accuracy,
    answer_words,
    exact_match,
    normalised_accuracy,
    smoothed_bleu4,
    squad_v2,
    squad_v2_totals,
    token_f1,
)

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


def reference_v2(prediction, golds):
    """SQuAD v2.0's rules in the order of its paper's script, written anew."""

    def words(text):
        text = "".join(c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
        return [w for w in text.split() if w not in ("a", "an", "the")]

    golds = [g for g in golds if words(g)] or [""]
    exact = max(int(words(prediction) == words(g)) for g in golds)
    f1 = []
    for gold in golds:
        left, said = words(gold), words(prediction)
        if not left or not said:
            f1.append(int(left == said))
            continue
        shared, rest = 0, list(left)
        for word in said:
            if word in rest:
                rest.remove(word)
                shared += 1
        precision, recall = shared / len(said), shared / len(left)
        f1.append(2 * precision * recall / (precision + recall) if shared else 0)
    return exact, max(f1)


def test_squad_v2_with_and_without_an_answer():
    assert squad_v2("", []) == squad_v2("the", ["a"]) == (1.0, 1.0)
    assert squad_v2("days", []) == squad_v2("", ["days"]) == (0.0, 0.0)
    assert squad_v2("four days", ["", "days"]) == (0.0, pytest.approx(2 / 3))
    found = squad_v2_totals(["days", "", "x"], [["days"], ["days"], []])
    assert found == pytest.approx(
        {"exact": 100 / 3, "f1": 100 / 3, "total": 3, "HasAns_exact": 50, "HasAns_f1": 50, "HasAns_total": 2}
        | {"NoAns_exact": 0, "NoAns_f1": 0, "NoAns_total": 1}
    )
    with pytest.raises(ValueError, match=r"shorter|longer"):
        squad_v2_totals(["a"], [])


def test_squad_v2_on_its_development_set():
    path = DATA / "squad/dev-v2.0.json.gz"
    if not path.exists():
        pytest.skip("needs the SQuAD files: set OZFIG_DATA")
    articles = json.loads(gzip.decompress(path.read_bytes()))["data"]
    asked = [q for article in articles for p in article["paragraphs"] for q in p["qas"]]
    golds = [[a["text"] for a in q["answers"]] for q in asked]
    # a system that abstains by the length of the question, and else gives half of an answer or of the question
    proposed = [(q["answers"][0]["text"] if q["answers"] else q["question"]).split() for q in asked]
    said = [
        "" if len(q["question"]) % 3 == 0 else " ".join(p[: (len(p) + 1) // 2])
        for q, p in zip(asked, proposed, strict=True)
    ]
    expected = [reference_v2(*pair) for pair in zip(said, golds, strict=True)]
    for pair, figures in zip(zip(said, golds, strict=True), expected, strict=True):
        assert squad_v2(*pair) == pytest.approx(figures)
    found = squad_v2_totals(said, golds)
    assert (found["total"], found["HasAns_total"], found["NoAns_total"]) == (11_873, 5_928, 5_945)
    assert found["exact"] == pytest.approx(100 * sum(e for e, _ in expected) / len(expected))
    # who never answers is right where there is no answer
    silent = squad_v2_totals([""] * len(asked), golds)
    assert (silent["HasAns_exact"], silent["NoAns_f1"]) == (0, 100)
    assert silent["exact"] == pytest.approx(100 * 5945 / 11_873)


def test_accuracy_as_the_harness_defines_it():
    np = pytest.importorskip("numpy")
    random = np.random.default_rng(5)
    for _ in range(200):
        choices = ["x" * int(n) for n in random.integers(1, 9, size=4)]
        nats, right = random.normal(-10, 3, size=4), int(random.integers(4))
        assert accuracy(nats.tolist(), right) == float(np.argmax(nats) == right)
        lengths = np.array([float(len(c)) for c in choices])
        assert normalised_accuracy(nats.tolist(), choices, right) == float(np.argmax(nats / lengths) == right)
    assert accuracy([-1.0, -1.0], 0) == 1.0
    assert accuracy([-3.0, -2.0], 0) == 0.0
    assert normalised_accuracy([-3.0, -2.0], ["three words long", "one"], 0) == 1.0
