import json
import subprocess
import sys
from pathlib import Path

import pytest

from ozfig import files
from ozfig.engines import sizes
from ozfig.forecast import book, calibration, estimate, rows
from ozfig.recipe import Tune
from ozfig.recipe.steps import auto_batch_tokens
from ozfig.types import Manifest

TRIAL = {
    "token_seconds_1": 0.001,
    "token_seconds_2": 0.0015,
    "encode_seconds": 0.0,
    "peak_memory_mb": 1000.0,
    "micro_batch_tokens": 512,
    "precision": "bfloat16",
    "device": "cpu",
}


def work(prepared, base, trial=None, **changes):
    recipe, run = prepared
    recipe = recipe.model_copy(update={"tune": recipe.tune.model_copy(update=changes)})
    return estimate.Work(recipe, rows.estimate(recipe, run, base), base, sizes.read(Path(base.path)), trial)


def test_layers_and_tokens_extrapolate_in_a_line(prepared, base):
    found = work(prepared, base, TRIAL)
    seconds = estimate.tune(found).seconds - estimate.START_SECONDS
    assert seconds == pytest.approx(found.tokens * 0.0025)  # four layers: 0.001 + 3 * 0.0005
    double = work(prepared, base, TRIAL, epochs=6.0)
    assert estimate.tune(double).seconds - estimate.START_SECONDS == pytest.approx(2 * seconds)


def test_memory_adds_the_layers_that_were_not_tried(prepared, base):
    lora, full = (estimate.tune(work(prepared, base, TRIAL, method=m)).memory_mb for m in ("lora", "full"))
    layer = (sizes.read(Path(base.path)).weights(4) - sizes.read(Path(base.path)).weights(2)) / 2**20
    assert lora - 1000 > 2 * layer  # weights in bf16, and activations
    assert full - lora == pytest.approx(layer * (16 - 2), rel=0.05)


def test_without_a_trial_the_formula_answers(prepared, base, cache):
    recipe, run = prepared
    found = book.forecast(recipe, run, now=False)
    assert list(found) == ["tune", "export", "evaluate"]
    assert found["tune"]["basis"] == "formula; prepared pairs"
    assert all(row["seconds"] > 0 and row["memory_mb"] > 100 for row in found.values())
    assert found["tune"]["disk_mb"] < found["export"]["disk_mb"]


def test_a_trial_is_real_and_made_once(prepared, base, cache, monkeypatch):
    recipe, run = prepared
    first = book.forecast(recipe, run, now=True)
    assert first["tune"]["basis"] == "calibrated on cpu; prepared pairs"
    (kept,) = (cache / calibration.CACHE).glob("*.json")
    trial = files.read_json(kept)
    assert 0 < trial["token_seconds_1"] < trial["token_seconds_2"] * 1.5
    assert trial["peak_memory_mb"] > 200
    monkeypatch.setattr(subprocess, "run", None)  # a second trial would fail
    assert book.forecast(recipe, run, now=True)["tune"] == first["tune"]
    assert book.forecast(recipe, run, now=False)["tune"] == first["tune"]
    more = recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"epochs": 9.0})})
    assert book.forecast(more, run, now=False)["tune"]["seconds"] > first["tune"]["seconds"]


def test_the_plan_is_stored_and_met_by_what_was_taken(prepared, base, cache):
    recipe, run = prepared
    book.open_book(recipe, run)
    book.note(run, Manifest("tune", "k", "k", {}, {}, {}, {}, 12.0, 900.0, 5.0))
    book.note(run, Manifest("prepare", "k", "k", {}, {}, {}, {}, 1.0, 90.0, 1.0))
    stored = files.read_json(run.folder / book.NAME)
    assert stored["tune"]["actual"] == {"seconds": 12.0, "memory_mb": 900.0, "disk_mb": 5.0}
    assert stored["tune"]["planned"]["basis"].startswith("formula")
    assert set(stored) == {"tune", "export", "evaluate"}


def test_nothing_is_downloaded_for_a_plan(prepared, cache, monkeypatch):
    recipe, run = prepared
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    assert book.forecast(recipe.model_copy(update={"base": "nobody/has-this"}), run, now=True) == {}


def test_planning_loads_no_torch():
    code = "import sys, ozfig.forecast.book; print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_steps_are_settled_as_the_tune_stage_does(prepared, base):
    recipe, run = prepared
    found = rows.estimate(recipe, run, base)
    assert estimate.batch_tokens(recipe, found) == 64
    auto = recipe.model_copy(update={"tune": Tune()})
    assert estimate.batch_tokens(auto, found) == auto_batch_tokens(3 * found.total)
    assert json.dumps(calibration.machine())
