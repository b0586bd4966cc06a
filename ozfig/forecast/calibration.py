"""How fast this machine trains a model's layers: timed in a process of its own, kept by machine and settings."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ozfig import __version__, console, files
from ozfig.forecast.rows import Rows
from ozfig.recipe import Recipe
from ozfig.types import ModelRef

CACHE = "ozfig/calibrations"
SAMPLE = 512  # rows whose lengths are tried
TIMEOUT = 900  # seconds
AGREE = 2  # significant digits of a row's mean length: data of about the same rows share a calibration


def find(recipe: Recipe, run: Path, rows: Rows, base: ModelRef, batch_tokens: int, now: bool) -> dict[str, Any] | None:
    """The figures of `ozfig.tune.calibrate`, from the cache or, with `now`, by trying; None where there are none."""
    request = _request(recipe, run, rows, base, batch_tokens)
    path = _cache() / f"{_key(request, rows, base)}.json"
    if path.exists():
        found: dict[str, Any] = files.read_json(path)
        return found
    if not now:
        return None
    console.say("  [dim]timing a few steps on models of one and two layers[/dim]")
    command = [sys.executable, "-m", "ozfig.tune.calibrate"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        console.warn("no calibration, by the formula alone: a few steps took too long")
        return None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        console.warn(f"no calibration, by the formula alone: {last}")
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    files.write_json(path, found)
    return found


def _request(recipe: Recipe, run: Path, rows: Rows, base: ModelRef, batch_tokens: int) -> dict[str, Any]:
    """What the process is asked to time."""
    train = run / "prepare" / "train.jsonl"
    tune = recipe.tune.model_dump(mode="json") | {"batch_tokens": batch_tokens}
    drawn = random.Random(0).choices(range(len(rows.lengths)), k=SAMPLE)
    return {
        "base": base.path,
        "head": base.head,
        "tune": tune,
        "lengths": [rows.lengths[i] for i in drawn],
        "trained": [rows.trained[i] for i in drawn],
        "longest": max(rows.lengths),
        "train": str(train) if train.exists() else "",
        "system": recipe.system,
    }


def _key(request: dict[str, Any], rows: Rows, base: ModelRef) -> str:
    """A hash of the machine, the base's configuration, and what a step's time depends on."""
    tune = {k: v for k, v in request["tune"].items() if k not in {"epochs", "learning_rate", "checkpoint_minutes"}}
    mean = rows.total / len(rows.lengths)
    config = files.read_json(Path(base.path) / "config.json")
    about = [float(f"{mean:.{AGREE}g}"), request["longest"], bool(request["train"])]
    return files.sha256_value([machine(), config, tune, about])


def machine() -> dict[str, Any]:
    """What tells one machine from another, as far as speed goes."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return {
        "ozfig": __version__,
        "torch": torch,
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "memory": os.sysconf("SC_PHYS_PAGES"),
    }


def processor() -> str:
    """The processor's name and what it can multiply."""
    table = Path("/proc/cpuinfo")
    if not table.exists():
        return platform.processor()
    lines = dict(line.split(":", 1) for line in table.read_text().split("\n\n")[0].splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in lines.items()}
    quick = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in found.get("flags", "").split()]
    return " ".join([found.get("model name", platform.machine()), *quick])


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / CACHE
