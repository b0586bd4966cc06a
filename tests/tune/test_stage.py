import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from ozfig import files
from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import stage, trainer
from ozfig.types import Example, Message

from .conftest import examples, make_job

QUICK = {"epochs": 8, "learning_rate": 2e-2, "batch_tokens": 256}


def test_a_training_of_one_step_trains(tiny, tmp_path):
    outcome = stage.run(make_job(Tune(**{**QUICK, "epochs": 1, "batch_tokens": 65_536}), tmp_path / "tune", tiny))
    weights = load_file(tmp_path / "tune/adapter/adapter_model.safetensors")
    assert outcome.metrics["steps"] == 1
    assert max(float(w.abs().max()) for name, w in weights.items() if "lora_B" in name) > 0


def test_lora_learns_and_writes_a_folder_that_peft_opens(tiny, tmp_path, capsys):
    outcome = stage.run(make_job(Tune(**QUICK), tmp_path / "tune", tiny))
    assert outcome.outputs == ["adapter", "shown_tokens.json"]
    assert outcome.metrics["rows"] == 48
    assert outcome.metrics["final_loss"] < 0.8 * outcome.metrics["first_loss"]
    tuned = outcome.models["tuned"]
    assert (tuned.kind, tuned.name, tuned.base) == ("adapter", "houses", str(tiny))

    model = PeftModel.from_pretrained(load_model(tiny), tuned.path)
    weights = load_file(tmp_path / "tune/adapter/adapter_model.safetensors")
    assert {t.dtype for t in weights.values()} == {torch.float32}
    assert len(weights) == 2 * 7 * 2  # two matrices for each of seven linear layers of two blocks
    assert outcome.metrics["trainable_parameters"] == sum(t.numel() for t in weights.values())
    assert load_tokenizer(tmp_path / "tune/adapter").chat_template
    assert model.peft_config["default"].r == 16
    assert capsys.readouterr().out == ""  # standard output is for results


def test_outputs_hold_no_path_of_this_machine(tiny, tmp_path):
    stage.run(make_job(Tune(**QUICK), tmp_path / "tune", tiny))
    config = files.read_json(tmp_path / "tune/adapter/adapter_config.json")
    assert config["base_model_name_or_path"] == "tiny"
    assert config["target_modules"] == sorted(config["target_modules"])
    texts = [p for p in (tmp_path / "tune").rglob("*.json*") if p.name != "speed.json"]
    assert len(texts) >= 4
    for path in texts:
        assert str(tiny) not in path.read_text()
        assert str(tmp_path) not in path.read_text()


def test_the_same_job_gives_the_same_bytes_and_resolved_values_too(tiny, tmp_path):
    first = stage.run(make_job(Tune(**QUICK), tmp_path / "a" / "tune", tiny))
    fixed = {key.removeprefix("tune."): value for key, value in first.resolved.items()}
    stage.run(make_job(Tune(**{**QUICK, **fixed}), tmp_path / "b" / "tune", tiny))
    for name in [*first.outputs, trainer.LOG]:
        assert files.sha256_path(tmp_path / "a/tune" / name) == files.sha256_path(tmp_path / "b/tune" / name), name


def test_full_changes_every_weight_and_keeps_the_type(tiny, tmp_path):
    outcome = stage.run(make_job(Tune(**{**QUICK, "method": "full"}), tmp_path / "tune", tiny))
    assert outcome.outputs == ["model", "shown_tokens.json"]
    assert outcome.metrics["final_loss"] < 0.8 * outcome.metrics["first_loss"]
    assert outcome.models["tuned"].kind == "transformers"
    before, after = load_model(tiny), load_model(tmp_path / "tune/model")
    assert after.dtype == torch.bfloat16
    changed = [not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)]
    assert sum(changed) >= len(changed) - 5  # the norms' steps may be too small for bf16


def test_data_without_answers_is_refused_before_training(tiny, tmp_path):
    silent = [Example.make([Message("user", f"Hello {i}?")]) for i in range(3)]
    with pytest.raises(UserError, match="every label is masked"):
        stage.run(make_job(Tune(), tmp_path / "tune", tiny, silent))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="no tokenizer"):
        stage.run(make_job(Tune(), tmp_path / "tune", tmp_path / "nothing", examples(2)))


@pytest.mark.parametrize(
    "options",
    [
        {"rslora": True, "dora": True, "rank": 4},
        {"schedule": "constant", "weight_decay": 0.1},
        {"recompute": True, "micro_batch_tokens": 128},
        {"precision": "float32", "packing": False},
        {"target_modules": ["o_proj", "q_proj"], "dropout": 0.1},
    ],
)
def test_every_way_learns_and_says_what_it_settled(tiny, tmp_path, options, capsys):
    outcome = stage.run(make_job(Tune(**{**QUICK, **options}), tmp_path / "tune", tiny))
    assert outcome.metrics["final_loss"] < 0.9 * outcome.metrics["first_loss"]
    for name, value in options.items():
        assert outcome.resolved.get(f"tune.{name}", value) == value
    assert "auto" not in outcome.resolved.values()
    model = PeftModel.from_pretrained(load_model(tiny), outcome.models["tuned"].path)
    assert bool(model.peft_config["default"].use_dora) == options.get("dora", False)
    line = " ".join(capsys.readouterr().err.split())
    assert f"{outcome.resolved['tune.precision']} on {outcome.resolved['tune.device']}" in line
    assert f"{outcome.metrics['steps']} steps" in line


def test_micro_batches_change_the_sums_order_only(tiny, tmp_path):
    options = {**QUICK, "precision": "float32", "batch_tokens": 1024}
    losses = [
        stage.run(make_job(Tune(**options, micro_batch_tokens=size), tmp_path / f"{size}" / "tune", tiny)).metrics
        for size in (128, 1024)
    ]
    assert losses[0]["sequences"] > losses[1]["sequences"]
    assert losses[0]["final_loss"] == pytest.approx(losses[1]["final_loss"], rel=0.01)


def test_a_training_that_did_harm_says_so(capsys):
    stage._tell(4.0, 4.3)
    assert capsys.readouterr().err == ""
    stage._tell(4.0, 9.01)
    assert "the loss rose from 4.00 to 9.01; try a smaller tune.learning_rate" in capsys.readouterr().err
