"""A random adapter over the embedded model, exported once by the stage for all tests of this folder."""

from pathlib import Path

import pytest
import torch

from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.engines.resolve import resolve
from ozfig.export import stage
from ozfig.recipe import Export, Tune
from ozfig.tune import adapters
from ozfig.types import Job, ModelRef, Outcome

SYSTEM = "Be brief."


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def adapter(tmp_path_factory) -> ModelRef:
    """An adapter folder as the tune stage writes it, with weights that change something."""
    base = resolve("pebble")
    folder, base_folder = tmp_path_factory.mktemp("tune") / "adapter", Path(base.path)
    model = adapters.attach(load_model(base_folder), Tune(), seed=7)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.01)
    adapters.save_adapter(model, load_tokenizer(base_folder), folder, base.name, base_folder)
    return ModelRef("adapter", str(folder), "site", base=base.path)


def make_job(tuned: ModelRef, folder: Path, quant: list[str]) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    models = {"base": resolve("pebble"), "tuned": tuned}
    return Job("site", Export(quant=quant), 7, SYSTEM, folder, {"adapter": Path(tuned.path)}, models, folder / "cache")


@pytest.fixture(scope="session")
def exported(adapter, tmp_path_factory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("run") / "export"
    return folder, stage.run(make_job(adapter, folder, ["Q4_K_M", "F16", "Q8_0"]))
