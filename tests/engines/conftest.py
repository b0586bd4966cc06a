"""The embedded model with a random adapter, merged and quantised once for all tests of this folder."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.engines.resolve import resolve
from ozfig.engines.transformers import load
from ozfig.export import gguf
from ozfig.export.merge import merge
from ozfig.types import ModelRef


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base() -> ModelRef:
    return resolve("pebble")


@pytest.fixture(scope="session")
def adapter(base, tmp_path_factory) -> ModelRef:
    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    model = load_model(Path(base.path), torch.float32)
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False))
    model.save_pretrained(folder)
    load_tokenizer(Path(base.path)).save_pretrained(folder)
    return ModelRef("adapter", str(folder), "tuned", base=base.path)


@pytest.fixture(scope="session")
def files(base, adapter, tmp_path_factory) -> dict[str, ModelRef]:
    """The tuned model as F16 and as Q4_K_M."""
    folder = tmp_path_factory.mktemp("files")
    merge(adapter, folder / "merged")
    full, small = folder / "tuned.F16.gguf", folder / "tuned.Q4_K_M.gguf"
    gguf.convert(folder / "merged", folder / "weights.gguf", "tuned")
    gguf.quantised(folder / "weights.gguf", {"F16": full, "Q4_K_M": small})
    return {p.suffixes[0][1:]: ModelRef("gguf", str(p), "tuned", str(folder / "merged")) for p in (full, small)}


@pytest.fixture(scope="session")
def base_engine(base):
    return load(base)


@pytest.fixture(scope="session")
def quantised_engine(files):
    return load(files["Q4_K_M"])
