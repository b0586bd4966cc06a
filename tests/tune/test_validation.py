import pytest
from safetensors.torch import load_file

from ozfig import files
from ozfig.recipe import Tune
from ozfig.tune import stage, validation
from ozfig.types import Outcome

from .conftest import examples, make_job

OPTIONS = {"epochs": 8, "batch_tokens": 512, "learning_rate": 2e-2, "validation_share": 0.3}


def tuned(tiny, folder, **options) -> Outcome:
    return stage.run(make_job(Tune(**{**OPTIONS, **options}), folder / "tune", tiny, examples(40)))


def measured(folder):
    return [row["loss"] for row in files.read_jsonl(folder / "tune" / validation.LOG)]


def test_the_best_state_is_kept_or_the_last(tiny, tmp_path):
    # too fast a pace: what comes last is not the best
    options = {"learning_rate": 0.3, "schedule": "constant"}
    best = tuned(tiny, tmp_path / "a", **options)
    last = tuned(tiny, tmp_path / "b", keep="last", **options)
    found = measured(tmp_path / "a")
    assert 8 <= len(found) <= 10
    assert found == measured(tmp_path / "b")
    assert best.metrics["validation_loss"] == min(found) < found[-1]
    assert best.metrics["validation_rows"] > 0
    assert last.metrics["best_step"] == best.metrics["best_step"] < best.metrics["steps"]
    weights = [load_file(tmp_path / side / "tune/adapter/adapter_model.safetensors") for side in "ab"]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])


def test_measuring_does_not_change_what_is_learned(tiny, tmp_path, monkeypatch):
    tuned(tiny, tmp_path / "a", keep="last")
    monkeypatch.setattr(validation, "TIMES", 2)
    tuned(tiny, tmp_path / "b", keep="last")
    assert len(measured(tmp_path / "a")) > len(measured(tmp_path / "b"))
    names = [tmp_path / side / "tune/adapter/adapter_model.safetensors" for side in "ab"]
    assert files.sha256_path(names[0]) == files.sha256_path(names[1])


def test_patience_ends_a_training_that_no_longer_helps(tiny, tmp_path):
    outcome = tuned(tiny, tmp_path, learning_rate=0.3, schedule="constant", patience=2)
    found = measured(tmp_path)
    assert found.index(min(found)) == len(found) - 3
    assert outcome.metrics["steps"] == [r["step"] for r in files.read_jsonl(tmp_path / "tune" / validation.LOG)][-1]
    assert outcome.metrics["validation_loss"] == pytest.approx(min(found))
