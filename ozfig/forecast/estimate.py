"""Seconds, memory and disk of tune, export and evaluate.

Tuning: tokens times the seconds a token, which grow with the layers in a straight line: two short trainings give
the line (see calibration), or a formula of 6 operations a weight and token (Kaplan et al. 2020, "Scaling Laws for
Neural Language Models") with what this processor multiplies in a second. The other stages go by rates that were
measured once and are said to be rough.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ozfig.engines import sizes
from ozfig.engines.sizes import Size
from ozfig.forecast import calibration
from ozfig.forecast.rows import Rows
from ozfig.recipe import Recipe
from ozfig.recipe.steps import auto_batch_tokens
from ozfig.runs import Run
from ozfig.types import ModelRef

MIB = 2**20
# training, without a calibration
LORA, FULL = 4.5, 6.0  # operations a weight and token: the frozen weights' own gradients are not taken
EFFICIENCY = 0.35  # of what plain products reach
BF16 = 2.0  # times as quick as float32, where the processor has it
PROCESS_MB = 900.0  # interpreter and libraries
START_SECONDS = 6.0  # opening tokenizer and model, trying out the quick parts, writing the adapter
CPU_MICRO = 2048  # tokens, as tune.machine has it
CHUNK_MB = 64.0  # of the loss
# export: bits a weight, and weights a second and core
BITS = {
    "F16": 16, "BF16": 16, "Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.7, "Q5_K_S": 5.5, "Q4_K_M": 4.85, "Q4_K_S": 4.6,
    "Q3_K_M": 3.9,
}  # fmt: skip
QUANTISED_A_SECOND = 15e6
EXPORT_SECONDS, CHECK_SECONDS = 10.0, 15.0  # merging and parity; each file's check
# evaluate
EVALUATE_SECONDS = 25.0
BANDWIDTH = 8e9  # bytes a second that decoding reads
LEAST_TOKEN = 0.004  # seconds for a token of a batch, however small the model
SAMPLE_BYTES = 4000


@dataclass(frozen=True)
class Estimate:
    """What a stage will take; `basis` says how that is known."""

    seconds: float
    memory_mb: float
    disk_mb: float
    basis: str
    gpu_memory_mb: float = 0.0

    def to_row(self) -> dict[str, Any]:
        """Rounded figures; they are never hashed."""
        row = {k: round(v, 1) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {k: v for k, v in row.items() if v or k != "gpu_memory_mb"}


@dataclass(frozen=True)
class Work:
    """What is estimated: a recipe over rows and a base, with what a trial gave, if there was one."""

    recipe: Recipe
    rows: Rows
    base: ModelRef
    size: Size
    trial: dict[str, Any] | None

    @property
    def tokens(self) -> float:
        """Tokens of the whole training."""
        return self.rows.total * self.recipe.tune.epochs


def batch_tokens(recipe: Recipe, rows: Rows) -> int:
    """Tokens of a step: the power of two nearest to 200 steps, as the tune stage settles it."""
    if recipe.tune.batch_tokens != "auto":
        return int(recipe.tune.batch_tokens)
    return auto_batch_tokens(rows.total * recipe.tune.epochs)


def work(recipe: Recipe, run: Run, rows: Rows, base: ModelRef, now: bool) -> Work:
    """Collect what the estimates need; `now` allows to time a few steps."""
    size = sizes.read(Path(base.path))
    trial = calibration.find(recipe, run.folder, rows, base, batch_tokens(recipe, rows), now)
    return Work(recipe, rows, base, size, trial)


def tune(found: Work) -> Estimate:
    """The tune stage."""
    section, layers = found.recipe.tune, found.size.layers
    basis = found.rows.basis
    if found.trial is None:
        memory = PROCESS_MB + formula_mb(found, layers, CPU_MICRO, 2 if quick_bf16() else 4)
        seconds = START_SECONDS + found.tokens * token_seconds(found)
        return Estimate(seconds, memory, _tuned_mb(found), f"formula; {basis}")
    one, two = found.trial["token_seconds_1"], found.trial["token_seconds_2"]
    a_token = max(two, one + (two - one) * (layers - 1))
    pairs = len(found.rows.lengths)
    seconds = START_SECONDS + pairs * found.trial["encode_seconds"] + found.tokens * a_token / section.processes
    width = 4 if found.trial["precision"] == "float32" else 2
    grown = _grown_mb(found, layers, found.trial["micro_batch_tokens"], width)
    on_gpu = found.trial.get("peak_gpu_memory_mb", 0.0)
    memory = found.trial["peak_memory_mb"] + (0.0 if on_gpu else grown)
    gpu = on_gpu + grown if on_gpu else 0.0
    return Estimate(seconds, memory, _tuned_mb(found), f"calibrated on {found.trial['device']}; {basis}", gpu)


def _grown_mb(found: Work, layers: int, micro: int, width: int) -> float:
    """What a model of all layers needs beyond one of two, which was tried."""
    return formula_mb(found, layers, micro, width) - formula_mb(found, 2, micro, width)


def formula_mb(found: Work, layers: int, micro: int, width: int) -> float:
    """Weights, gradients, two moments and activations of a training over so many layers; `width` bytes a value."""
    section, size = found.recipe.tune, found.size
    micro = section.micro_batch_tokens if isinstance(section.micro_batch_tokens, int) else micro
    if section.method == "full":
        held = size.weights(layers) * 16
    else:
        held = size.weights(layers) * (0.55 if section.method == "qlora" else width)
        held += size.adapter(section.rank, layers) * 16
    largest = max(micro, max(found.rows.lengths))
    return (held + largest * size.activations(layers) * width) / MIB + CHUNK_MB


def token_seconds(found: Work) -> float:
    """Seconds a token by the formula, on this processor."""
    operations = FULL if found.recipe.tune.method == "full" else LORA
    speed = products_a_second() * EFFICIENCY * (BF16 if quick_bf16() else 1.0)
    return operations * found.size.weights(found.size.layers) / speed


def quick_bf16() -> bool:
    """Whether the processor multiplies in bf16."""
    return "bf16" in calibration.processor()


def products_a_second() -> float:
    """Float32 operations a second of plain matrix products, tried for a moment."""
    a = np.ones((768, 768), np.float32)
    a @ a
    began = time.perf_counter()
    for _ in range(4):
        a @ a
    return 4 * 2 * 768**3 / (time.perf_counter() - began)


def _tuned_mb(found: Work) -> float:
    """The adapter in float32 or the model as stored, and the tokenizer's files beside it."""
    section, size = found.recipe.tune, found.size
    kept = size.stored_bytes if section.method == "full" else 4 * size.adapter(section.rank, size.layers)
    beside = sum(p.stat().st_size for p in Path(found.base.path).glob("tokenizer*"))
    return (kept + beside) / MIB


def export(found: Work) -> Estimate:
    """The export stage: the merged model and each file, quantised and checked."""
    size, quants = found.size, found.recipe.export.quant
    if found.base.head:
        return Estimate(EXPORT_SECONDS, PROCESS_MB + 3 * size.stored_bytes / MIB, size.stored_bytes / MIB, "rough")
    bits = [BITS[quant] for quant in quants]
    cores = os.cpu_count() or 1
    seconds = EXPORT_SECONDS + sum(CHECK_SECONDS + size.parameters / QUANTISED_A_SECOND / cores for _ in quants)
    disk = (size.stored_bytes + sum(size.parameters * b / 8 for b in bits)) / MIB
    memory = PROCESS_MB + (3 * size.stored_bytes + size.parameters * max(bits) / 8) / MIB
    return Estimate(seconds, memory, disk, "rough")


def evaluate(found: Work) -> Estimate:
    """The evaluate stage: replies of every model under every condition; benchmarks are not counted."""
    section, size = found.recipe.evaluate, found.size
    questions = min(found.rows.asked, section.limit or found.rows.asked)
    asked = questions * len(section.conditions) * len(section.points)
    a_token = max(LEAST_TOKEN, size.stored_bytes / BANDWIDTH) / math.sqrt(section.batch)
    trained = found.trial["token_seconds_2"] * size.layers / 2 if found.trial else token_seconds(found)
    seconds = EVALUATE_SECONDS + asked * (section.max_tokens * a_token + found.rows.prompt * trained / 3)
    memory = PROCESS_MB + 3 * size.stored_bytes / MIB
    rough = "rough, without benchmarks" if section.tasks else "rough"
    return Estimate(seconds, memory, asked * SAMPLE_BYTES / MIB, rough)
