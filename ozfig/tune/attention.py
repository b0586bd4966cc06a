"""Packed rows: whether a model keeps them apart, and an attention that costs what the rows cost.

Transformers reads from positions that start again where rows begin and masks the rest. Over 512 tokens
of short rows the processor then multiplies everything and throws most of it away, a quarter of a
training step; taking each row on its own gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ozfig.tune import short_rows

NAME = "row_by_row"
SHORT = 512  # tokens up to which the whole square of a row is quicker than blocks of it
MASKED = 512  # tokens at once where a mask keeps rows apart: its products grow with their square
PROBE = 8  # tokens of each of the two rows of a probe


def _attend(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: None, **options: Any
) -> tuple[torch.Tensor, None]:
    """Causal attention within each row: heads of shape (1, heads, tokens, size) to (1, tokens, heads, size).

    `cu_seq_lens_q` bounds the rows in the form that flash attention takes: 0, then the end of each.
    """
    edges = options.pop("cu_seq_lens_q")
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    query, key = query.to(value.dtype), key.to(value.dtype)  # under autocast the rotation leaves float32
    if query.is_cuda:
        return _flash(query, key, value, edges, scale), None
    lengths = edges.diff().tolist()
    runs = [list(run) for _, run in groupby(lengths, lambda length: length <= SHORT or -1)]
    runs = [part for run in runs for part in ([run] if run[0] <= SHORT else [[length] for length in run])]
    parts = []
    for run, q, k, v in zip(runs, *(x.split([sum(run) for run in runs], 2) for x in (query, key, value)), strict=True):
        if run[0] <= SHORT:
            parts.append(short_rows.attend(q, k, v, run, scale).transpose(1, 2))
        else:
            parts.append(sdpa_attention_forward(module, q, k, v, None, **options)[0])
    return torch.cat(parts, dim=1), None


def _flash(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, edges: torch.Tensor, scale: float
) -> torch.Tensor:
    """The same on a GPU, by torch's own kernel for rows of many lengths."""
    bounds, longest = edges.to(torch.int32), int(edges.diff().max())
    heads = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    shared = query.shape[1] != key.shape[1]
    options = {"scale": scale, "window_size": (-1, 0), "enable_gqa": shared}
    return varlen_attn(*heads, bounds, bounds, longest, longest, **options)[None]


@contextmanager
def row_by_row(model: Any) -> Iterator[None]:
    """Within the block the model attends row by row and needs `cu_seq_lens_q`."""
    AttentionInterface.register(NAME, _attend)
    before = model.config.get_text_config()._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _has_kernel(model: Any) -> bool:
    """Whether attention within rows is at hand: our own on a CPU, flash attention on NVIDIA GPUs from Ampere on."""
    if model.device.type == "cuda":
        return model.dtype in (torch.bfloat16, torch.float16) and torch.cuda.get_device_capability() >= (8, 0)
    return bool(model.device.type == "cpu")


def isolates_rows(model: Any) -> bool:
    """Whether what stands in one packed row leaves the next one's logits untouched, bit for bit."""
    return bool(torch.equal(_probe(model, 20), _probe(model, 40)))


def suits_row_by_row(model: Any) -> bool:
    """Whether row-by-row attention is quicker here and gives what the model's own gives.

    A window over the nearest tokens needs its mask; other differences show in a probe.
    """
    config = model.config.get_text_config()
    windowed = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    dropped = getattr(config, "attention_dropout", 0.0)
    if config._attn_implementation != "sdpa" or windowed or dropped or not _has_kernel(model):
        return False
    own = _probe(model, 20)
    with row_by_row(model):
        if model.config.get_text_config()._attn_implementation != NAME:
            return False
        other = _probe(model, 20, cu_seq_lens_q=torch.tensor([0, PROBE, 2 * PROBE], device=model.device))
    # bf16 keeps 8 bits: sums in another order differ by a few of the last
    return float((own - other).abs().max()) <= 0.05 * float(own.abs().max())


@torch.no_grad()
def _probe(model: Any, start: int, **bounds: torch.Tensor) -> torch.Tensor:
    """Float32 logits of the second of two packed rows; `start` chooses the first row's tokens."""
    vocabulary = model.config.get_text_config().vocab_size
    ids = [*range(start, start + PROBE), *range(10, 10 + PROBE)]
    was_training = model.training
    model.eval()
    logits = model(
        input_ids=torch.tensor([[i % vocabulary for i in ids]], device=model.device),
        position_ids=torch.tensor([[*range(PROBE), *range(PROBE)]], device=model.device),
        use_cache=False,
        **bounds,
    ).logits[0, PROBE:]
    model.train(was_training)
    return logits.float()
