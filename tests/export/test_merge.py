from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ozfig.errors import UserError
from ozfig.export.merge import merge


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
