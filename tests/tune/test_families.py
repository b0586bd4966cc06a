"""Causal architectures besides Llama: two steps of LoRA each, and an adapter that changes the model."""

from dataclasses import replace

import pytest
import torch
import transformers

from ozfig.engines import opening
from ozfig.engines.loading import load_tokenizer
from ozfig.engines.resolve import resolve
from ozfig.prompts import ask
from ozfig.recipe import Tune
from ozfig.tune import stage

from .conftest import PEBBLE, SYSTEM, examples, make_job

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**SHAPE, "num_key_value_heads": 2}
FAMILIES = {
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "Bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "Phi": SHAPE,
    "Mistral": GROUPED,
    "Qwen2": GROUPED,
    "Gemma": {**GROUPED, "head_dim": 8},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_tunes_and_its_adapter_opens(family, tmp_path):
    torch.manual_seed(0)
    tokenizer = load_tokenizer(PEBBLE)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    kind, head = (
        getattr(transformers, f"{family}{part}")
        for part in ("Config", "ForCausalLM" if family != "GPT2" else "LMHeadModel")
    )
    model = head(kind(vocab_size=len(tokenizer), **FAMILIES[family], **ids))
    folder = tmp_path / "base"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    base = resolve(str(folder))
    assert base.head == ""
    rows = examples(8)
    job = make_job(Tune(epochs=2, batch_tokens=400, learning_rate=1e-2), tmp_path / "tune", folder, rows)
    outcome = stage.run(replace(job, models={"base": base}))
    assert outcome.metrics["steps"] >= 2
    prompts, answers = [ask(e.question, SYSTEM) for e in rows], [e.answer for e in rows]
    before, after = (opening.load(r).losses(prompts, answers) for r in (base, outcome.models["tuned"]))
    assert sum(x.nats for x in after) < sum(x.nats for x in before)
