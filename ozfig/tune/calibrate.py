"""A few steps of training on small models of a base's configuration, for `ozfig plan`.

    python -m ozfig.tune.calibrate < request.json

prints one JSON object: seconds a token for models of one and of two layers, the process's peak memory, and what
start-up takes. The weights are random, the settings and the rows' lengths those of the recipe.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from ozfig import console, files, usage
from ozfig.engines.loading import AUTO, context_length, load_tokenizer, quiet
from ozfig.recipe import Tune
from ozfig.tune import adapters, heads, machine, tokens, trainer
from ozfig.tune.heads.span import Marked
from ozfig.types import Example

SECONDS = 4.0  # of each timed training
LEAST_STEPS, MOST_STEPS = 4, 40
LAYERS = ("num_hidden_layers", "num_decoder_layers", "num_layers")
FIRST_ID = 10  # below stand the special tokens of most vocabularies
TOKENISED = 100  # examples that are timed


def calibrate(request: dict[str, Any]) -> dict[str, Any]:
    """Time models of one and two layers.

    `request` holds `base` (a folder), `head`, `tune` (the section, batch_tokens settled), `lengths` and `trained`
    (tokens of sample rows), `longest` (of all rows), `train` (prepared pairs, or empty) and `system`.
    """
    began, folder = time.monotonic(), Path(request["base"])
    section = machine.resolve(Tune(**request["tune"]).model_copy(update={"head": request["head"] or "causal"}))
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    section = machine.micro_batch(section, config.get_text_config(), request["longest"])
    threads = torch.get_num_threads()
    if section.device == "cpu" and section.processes > 1:
        torch.set_num_threads(max(1, threads // section.processes))
    section = section.model_copy(update={"processes": 1})
    tokenizer = load_tokenizer(folder, section.own_template, request["head"])
    found: dict[str, Any] = {"device": section.device, "precision": section.precision, "threads": threads}
    found["micro_batch_tokens"] = section.micro_batch_tokens
    found["encode_seconds"] = _encoding(request, tokenizer, section, config)
    for layers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="ozfig-") as scratch:
            small = _small(config, layers, Path(scratch) / "base", section, request["head"])
            found[f"token_seconds_{layers}"] = _timed(small, tokenizer, section, request, Path(scratch))
    found["peak_memory_mb"] = usage.peak_mb()
    if section.device == "cuda":
        found["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
    return {**found, "calibration_seconds": time.monotonic() - began}


def _encoding(request: dict[str, Any], tokenizer: Any, section: Tune, config: Any) -> float:
    """Seconds in which one example becomes token ids; 0 where there are none yet."""
    if not request["train"]:
        return 0.0
    rows = files.read_jsonl(Path(request["train"]))
    examples = [Example.from_row(row) for row, _ in zip(rows, range(TOKENISED), strict=False)]
    began = time.monotonic()
    length = context_length(config, tokenizer)
    heads.find(section.head).encode_all(examples, tokenizer, section, request["system"], length)
    return (time.monotonic() - began) / len(examples)


def _small(config: Any, layers: int, folder: Path, section: Tune, head: str) -> Any:
    """A model of the same configuration with few layers, as training loads it."""
    config = type(config).from_dict(config.to_dict())
    inner = config.get_text_config()
    for name in LAYERS:
        if isinstance(getattr(inner, name, None), int):
            setattr(inner, name, layers)
    if getattr(inner, "layer_types", None):
        inner.layer_types = inner.layer_types[:layers]
    torch.manual_seed(0)
    with quiet(silent=True):
        AUTO[head].from_config(config, dtype=machine.DTYPES[section.precision]).save_pretrained(folder)
    return adapters.attach(adapters.load_base(folder, section, head), section, seed=0)


def _rows(request: dict[str, Any], vocabulary: int, wanted: int) -> list[tokens.Row]:
    """Rows of random ids with the sample's lengths, `wanted` tokens in all."""
    draw, size, at = np.random.default_rng(0), 0, 0
    rows: list[tokens.Row] = []
    while size < wanted:
        length, trained = request["lengths"][at], min(request["trained"][at], request["lengths"][at] - 1)
        ids = [int(i) for i in draw.integers(min(FIRST_ID, vocabulary - 1), vocabulary, length)]
        if request["head"] == "span":
            rows.append(Marked(ids, [1, min(2, length - 1)], [0] * length))
        elif request["head"] == "seq2seq":
            rows.append(tokens.Row(ids, ids[:trained]))
        else:
            rows.append(tokens.Row(ids, [tokens.IGNORED] * (length - trained) + ids[length - trained :]))
        size, at = size + length, (at + 1) % len(request["lengths"])
    return rows


def _timed(model: Any, tokenizer: Any, section: Tune, request: dict[str, Any], scratch: Path) -> float:
    """Seconds a token, the first steps left out."""
    vocabulary = model.config.get_text_config().vocab_size
    step = int(section.batch_tokens)
    section = section.model_copy(update={"epochs": 1.0, "validation_share": 0.0, "max_length": "auto"})
    speed = _train(model, tokenizer, section, _rows(request, vocabulary, 2 * step), scratch / "warm")
    seconds = speed["seconds"] / speed["tokens"] * step
    steps = min(MOST_STEPS, max(LEAST_STEPS, round(SECONDS / seconds)))
    speed = _train(model, tokenizer, section, _rows(request, vocabulary, steps * step), scratch / "timed")
    return float(speed["seconds"] / speed["tokens"])


def _train(model: Any, tokenizer: Any, section: Tune, rows: list[tokens.Row], folder: Path) -> dict[str, Any]:
    """One training; its tokens and seconds."""
    data = tokens.TokenSet(rows, max(row.longest for row in rows), 0, 0, 0)
    trainer.train(model, tokenizer, data, section, folder, seed=0)
    found: dict[str, Any] = files.read_json(folder / "speed.json")
    return found


if __name__ == "__main__":
    console.screen.quiet = True
    print(json.dumps(calibrate(json.load(sys.stdin))))
