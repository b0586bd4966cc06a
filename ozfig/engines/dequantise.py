"""Fill a model's modules with the de-quantised tensors of its own GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import dequantize

from ozfig.errors import UserError

# Q4_K changes weights by about 7 %; a tensor in another order or scale differs by 100 % and more
FURTHEST = 0.5
ROTARY = ("q_proj", "k_proj")


@torch.no_grad()
def fill(model: Any, path: Path) -> None:
    """Replace every weight of a Transformers model by the file's, de-quantised to the weight's own type.

    The model holds the weights that the file was made from, so a tensor that is stored in an order unknown
    to us is noticed, never scored. Raises UserError for it, and for a weight that has no tensor in the file.
    """
    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    names = gguf.get_tensor_name_map(_architecture(architecture), int(model.config.num_hidden_layers))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for name, weight in model.named_parameters():
        stored = tensors.get(names.get_name(name, try_suffixes=(".weight", ".bias")) or "")
        if stored is None:
            raise UserError(f"{path}: no tensor for {name}; the file was made from another model")
        values = torch.from_numpy(np.array(dequantize(stored.data, stored.tensor_type)))
        if values.numel() != weight.numel():
            raise UserError(f"{path}: {stored.name} has {values.numel()} weights, {name} has {weight.numel()}")
        _copy(restore(values, name, architecture, model.config).to(weight), weight, path, name)


def restore(values: torch.Tensor, name: str, architecture: str, config: Any) -> torch.Tensor:
    """Undo what llama.cpp's converter does to a tensor of these architectures.

    Llama and Mistral: rotary pairs lie side by side in GGUF, half a head apart in Transformers.
    Gemma: the norms' weights are stored with the 1 that the model adds to them.
    """
    module = name.rsplit(".", 2)[-2]
    if architecture == "llama" and module in ROTARY:
        heads = config.num_attention_heads if module == "q_proj" else config.num_key_value_heads
        return unpermute(values, heads)
    return values - 1 if architecture.startswith("gemma") and module.endswith("norm") else values


def unpermute(values: torch.Tensor, heads: int) -> torch.Tensor:
    """Rotary pairs half a head apart again; `values` has the heads' rows as its first dimension."""
    return values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _copy(values: torch.Tensor, weight: torch.Tensor, path: Path, name: str) -> None:
    """Copy `values` into `weight`. Raises UserError when they are not the same weights but for rounding."""
    difference = (values.reshape(weight.shape).float() - weight.float()).norm()
    if difference > FURTHEST * weight.float().norm():
        raise UserError(f"{path}: {name} is other weights, or in an order that is not known here: it cannot be scored")
    weight.copy_(values.reshape(weight.shape))


def _architecture(name: str) -> gguf.MODEL_ARCH:
    """The library's constant for an architecture's name."""
    return next(arch for arch, known in gguf.MODEL_ARCH_NAMES.items() if known == name)
