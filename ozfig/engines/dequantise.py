"""Fill a model's modules with the de-quantised tensors of its own GGUF file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import dequantize

from ozfig.errors import UserError

# Q4_K changes weights by about 7 %; weights in another order differ by 100 % and more
FURTHEST = 0.5
ROUNDING = 1e-3  # of one weight


@torch.no_grad()
def fill(model: Any, path: Path) -> None:
    """Replace every weight of a Transformers model by the file's, de-quantised to the weight's own type.

    The model holds the weights that the file was made from. So the order in which llama.cpp's converter has
    stored a tensor is found by trying the ones it uses, and a tensor in another is noticed, never scored.
    Raises UserError for it, and for a weight that has no tensor in the file.
    """
    reader = gguf.GGUFReader(path)
    architecture = _architecture(reader.fields["general.architecture"].contents())
    config = model.config.get_text_config()
    names = gguf.get_tensor_name_map(architecture, int(config.num_hidden_layers))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for name, weight in model.named_parameters():
        known_as = (names.get_name(n, (".weight", ".bias")) for n in (name, name.removeprefix("transformer.")))
        stored = next((tensors[n] for n in known_as if n in tensors), None)
        if stored is None:
            raise UserError(f"{path}: no tensor for {name}; the file was made from another model, or cannot be scored")
        values = torch.from_numpy(np.array(dequantize(stored.data, stored.tensor_type))).to(weight.device)
        if values.numel() != weight.numel():
            raise UserError(f"{path}: {stored.name} has {values.numel()} weights, {name} has {weight.numel()}")
        known = weight.float()
        distances = [((order - known).norm(), order) for order in _orders(values, name, config, weight.shape)]
        distance, nearest = min(distances, key=lambda pair: pair[0])
        if distance > FURTHEST * known.norm() + ROUNDING * known.numel() ** 0.5:
            raise UserError(f"{path}: {name} is other weights, or in an order not known here: it cannot be scored")
        weight.copy_(nearest)


def _orders(values: torch.Tensor, name: str, config: Any, shape: torch.Size) -> Iterator[torch.Tensor]:
    """What a stored tensor may mean: as it is; with rotary pairs side by side (Llama); a norm plus 1 (Gemma);
    transposed (GPT-2); all queries, then all keys, then all values, where the model goes head by head (Bloom).
    """
    yield values.reshape(shape)
    for module, heads in (("q_proj", config.num_attention_heads), ("k_proj", _kv_heads(config))):
        if module in name:
            yield unpermute(values, heads)
    if "query_key_value" in name:
        parts = values.reshape(3, config.num_attention_heads, -1, *shape[1:])
        yield parts.swapaxes(0, 1).reshape(shape)
    if len(shape) == 1:
        yield values - 1
    elif values.shape == shape[::-1]:
        yield values.T


def unpermute(values: torch.Tensor, heads: int) -> torch.Tensor:
    """Rotary pairs half a head apart, as Transformers has them; the heads' rows are the first dimension."""
    return values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _kv_heads(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _architecture(name: str) -> gguf.MODEL_ARCH:
    """The library's constant for an architecture's name."""
    return next(arch for arch, known in gguf.MODEL_ARCH_NAMES.items() if known == name)
