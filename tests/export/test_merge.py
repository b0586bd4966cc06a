import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ozfig import files
from ozfig.errors import UserError
from ozfig.export.merge import _merge_whole, _plain_updates, merge


def test_merged_weights_are_base_plus_scaled_update_in_the_bases_type(exported, adapter):
    merged = load_file(exported[0] / "merged" / "model.safetensors")
    base = load_file(Path(adapter.base) / "model.safetensors")
    update = load_file(Path(adapter.path) / "adapter_model.safetensors")
    assert merged.keys() == base.keys()
    name = "model.layers.1.mlp.up_proj"
    a = update[f"base_model.model.{name}.lora_A.weight"].float()
    b = update[f"base_model.model.{name}.lora_B.weight"].float()
    expected = base[f"{name}.weight"].float() + 32 / 16 * b @ a
    assert merged[f"{name}.weight"].dtype == torch.bfloat16
    assert torch.allclose(merged[f"{name}.weight"].float(), expected, rtol=2**-8, atol=1e-6)
    assert not torch.equal(merged[f"{name}.weight"], base[f"{name}.weight"])
    assert torch.equal(merged["model.norm.weight"], base["model.norm.weight"])


def test_weight_by_weight_gives_the_bytes_that_peft_and_transformers_give(exported, adapter, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    _merge_whole(Path(adapter.base), Path(adapter.path), whole, "")
    for path in whole.iterdir():
        assert path.read_bytes() == (exported[0] / "merged" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    "change",
    [
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 4}},
        {"init_lora_weights": "pissa"},
        {"bias": "all"},
        {"fan_in_fan_out": True},
        {"peft_type": "LOHA"},
    ],
)
def test_what_is_more_than_b_times_a_is_left_to_peft(adapter, tmp_path, change):
    base, copy = Path(adapter.base), tmp_path / "adapter"
    shutil.copytree(adapter.path, copy)
    assert len(_plain_updates(base, copy)) == 28
    files.write_json(copy / "adapter_config.json", files.read_json(copy / "adapter_config.json") | change)
    assert _plain_updates(base, copy) == {}


def test_the_tokenizer_is_the_adapters_own(exported, adapter):
    merged = exported[0] / "merged"
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja"):
        assert (merged / name).read_bytes() == (Path(adapter.path) / name).read_bytes()
    assert not list(merged.glob("adapter_*"))


def test_no_file_names_a_folder_of_this_machine(exported, adapter):
    for path in (exported[0] / "merged").glob("*.json"):
        for folder in (adapter.path, adapter.base, str(exported[0])):
            assert folder not in path.read_text(), path.name


def test_an_adapter_without_weights_is_one_line(adapter, tmp_path):
    with pytest.raises(UserError, match="not an adapter of this base"):
        merge(replace(adapter, path=str(tmp_path)), tmp_path / "merged")
