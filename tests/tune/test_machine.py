import pytest
import torch

from ozfig.engines.loading import load_model
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import adapters, machine

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="asks what happens without a GPU")


@no_gpu
@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"device": "cuda"}, r"tune\.device: no cuda device here; set tune\.device=auto"),
        ({"precision": "float16", "device": "cpu"}, r"tune\.precision: float16 needs a GPU"),
        (
            {"method": "qlora", "device": "cpu"},
            r"tune\.method: qlora needs a CUDA GPU .*, not cpu; set tune\.method=lora",
        ),
    ],
)
def test_what_a_machine_cannot_do_is_one_line(options, line):
    with pytest.raises(UserError, match=line):
        machine.resolve(Tune(**options))


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert machine.resolve(Tune(device="cpu")).compile is False
    with pytest.raises(UserError, match=r"tune\.compile: needs a C\+\+ compiler"):
        machine.resolve(Tune(compile=True, device="cpu"))


def test_every_auto_is_settled_once(tiny):
    settled = machine.resolve(Tune(device="cpu"))
    assert settled.precision in machine.DTYPES
    assert machine.resolve(settled) == settled
    config = load_model(tiny).config
    full = machine.micro_batch(settled, config, 200)
    assert (full.micro_batch_tokens, full.recompute) == (machine.CPU_MICRO_BATCH, False)
    assert machine.micro_batch(full, config, 200) == full


def test_little_memory_makes_small_micro_batches_and_then_recomputes(tiny, monkeypatch):
    settled, config = machine.resolve(Tune(device="cpu", precision="float32")), load_model(tiny).config
    monkeypatch.setattr(machine, "memory", lambda device: 1000 * machine.activation_bytes(config, "float32"))
    found = machine.micro_batch(settled, config, 200)
    assert (found.micro_batch_tokens, found.recompute) == (300, False)
    assert machine.micro_batch(settled, config, 400).recompute is True
    assert machine.micro_batch(settled, config, 400).micro_batch_tokens == 400


def test_adapters_sit_where_the_recipe_says(tiny):
    model = adapters.attach(load_model(tiny), Tune(target_modules=["v_proj", "q_proj"]), 7)
    assert adapters.layers_of(model) == ["q_proj", "v_proj"]
    with pytest.raises(UserError, match=r"tune\.target_modules: .*nowhere"):
        adapters.attach(load_model(tiny), Tune(target_modules=["nowhere"]), 7)
