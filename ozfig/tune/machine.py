"""What the machine at hand can do: each `auto` of the recipe that depends on it, resolved."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

import torch

from ozfig.engines.sizes import activations
from ozfig.errors import MissingExtra, UserError
from ozfig.recipe import Tune

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CPU_MICRO_BATCH = 2048  # tokens; products are at their quickest from 1,024 on, and larger ones leave the caches
GPU_MICRO_BATCH = 16_384
MEMORY_SHARE = 0.3  # of the memory that the activations of one micro-batch may fill


def has_fast_bf16(device: str | None = None) -> bool:
    """Whether matrix products are quicker in bf16 than in float32, here or on a device."""
    device = device or default_device()
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities() if device == "cpu" else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def default_device() -> str:
    """The best device that is there."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def resolve(section: Tune) -> Tune:
    """The section with device, precision and compile settled. Raises UserError for what this machine cannot do."""
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[section.device]:
        raise UserError(f"tune.device: no {section.device} device here; set tune.device=auto")
    device = default_device() if section.device == "auto" else section.device
    if section.precision == "float16" and device == "cpu":
        raise UserError("tune.precision: float16 needs a GPU; set bfloat16, float32 or auto")
    if section.method == "qlora":
        _check_four_bits(device)
    # what feeds a span head, which is trained beside the adapter, has to be float32 as the head is
    beside_head = section.head == "span" and section.method != "full"
    if beside_head and section.precision not in {"auto", "float32"}:
        raise UserError(f"tune.precision: an adapter below a span head trains in float32, not {section.precision}")
    quick = "bfloat16" if has_fast_bf16(device) and not beside_head else "float32"
    if section.compile is True and device == "cpu" and not shutil.which("g++"):
        raise UserError("tune.compile: needs a C++ compiler (g++) on a CPU; set tune.compile=false")
    settled = {
        "device": device,
        "precision": quick if section.precision == "auto" else section.precision,
        "compile": section.compile is True,
    }
    return section.model_copy(update=settled)


def _check_four_bits(device: str) -> None:
    """Raise UserError where weights of 4 bits cannot be trained over."""
    if device != "cuda":
        raise UserError(
            f"tune.method: qlora needs a CUDA GPU for its 4-bit weights, not {device}; set tune.method=lora"
        )
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("tune.method=qlora", "qlora")


def activation_bytes(config: Any, precision: str) -> int:
    """About what one token's activations take until the backward pass, in all layers."""
    hidden, layers = config.hidden_size, config.num_hidden_layers
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    return int(activations(hidden, inner, layers) * DTYPES[precision].itemsize)


def memory(device: str) -> int:
    """Bytes of the device's memory in all: what is free changes, and a training that goes on must not."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def micro_batch(section: Tune, config: Any, longest: int) -> Tune:
    """The section with `micro_batch_tokens` and `recompute` settled for rows of at most `longest` tokens.

    Activations are computed again only where a micro-batch of the longest row would not fit otherwise.
    """
    fitting = int(MEMORY_SHARE * memory(section.device)) // activation_bytes(config, section.precision)
    fitting //= section.processes if section.device == "cpu" else 1  # they share the machine's memory
    most = CPU_MICRO_BATCH if section.device == "cpu" else GPU_MICRO_BATCH
    recompute = fitting < longest if section.recompute == "auto" else section.recompute
    if recompute:  # one layer's activations and a vector for each of the others
        fitting *= config.num_hidden_layers // 2 or 1
    auto = max(longest, min(most, fitting))
    micro = auto if section.micro_batch_tokens == "auto" else section.micro_batch_tokens
    return section.model_copy(update={"micro_batch_tokens": micro, "recompute": recompute})
