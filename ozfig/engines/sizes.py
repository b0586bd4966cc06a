"""How large a model is, by its config.json and the headers of its safetensors files: no weight is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.errors import UserError

LONGEST_HEADER = 100 << 20  # bytes, as the format allows
LAYER = re.compile(r"(?:^|\.)\d+\.")
# names of the same figure in the configurations of different families
LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
INNER = ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "hidden_dim")


@dataclass(frozen=True)
class Size:
    """Weights in all and in the repeated layers, the vectors that an adapter on these needs, bytes on disk.

    `adapted` is the sum of inputs and outputs of every linear layer: a LoRA adapter has `rank` weights for each.
    """

    parameters: int
    in_layers: int
    adapted: int
    stored_bytes: int
    layers: int
    hidden: int
    inner: int

    def weights(self, layers: int) -> float:
        """Weights of the same model with so many layers."""
        return self.parameters - self.in_layers + self.in_layers * layers / self.layers

    def adapter(self, rank: int, layers: int) -> float:
        """Weights of a LoRA adapter on so many layers."""
        return self.adapted * rank * layers / self.layers

    def activations(self, layers: int) -> int:
        """Values that one token leaves in so many layers until the backward pass."""
        return activations(self.hidden, self.inner, layers)


def activations(hidden: int, inner: int, layers: int) -> int:
    """About what one token's activations are until the backward pass, in values.

    Twelve vectors of the hidden size and six of the feed-forward's a layer: inputs of the products, norms and
    residuals, heads, gate, up and their product.
    """
    return layers * (12 * hidden + 6 * inner)


def read(folder: Path) -> Size:
    """The size of a local model. Raises UserError when a file cannot be read."""
    config = files.read_json(folder / "config.json")
    config = config.get("text_config") or config
    layers = int(_first(config, LAYERS) or 1) + int(config.get("num_decoder_layers") or 0)
    hidden = int(_first(config, WIDTH) or 1)
    total = in_layers = adapted = stored = 0
    for name, shape, size in _tensors(folder):
        weights = math.prod(shape)
        total, stored = total + weights, stored + size
        if LAYER.search(name):
            in_layers += weights
            adapted += sum(shape) if len(shape) == 2 else 0
    return Size(total, in_layers, adapted, stored, layers, hidden, int(_first(config, INNER) or 4 * hidden))


def _first(config: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((config[name] for name in names if config.get(name)), None)


def _tensors(folder: Path) -> Iterator[tuple[str, list[int], int]]:
    """Name, shape and bytes of every tensor of a folder's safetensors files."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as data:
            length = int.from_bytes(data.read(8), "little")
            if length > LONGEST_HEADER:
                raise UserError(f"{path}: not a safetensors file")
            header = json.loads(data.read(length))
        for name, row in sorted(header.items()):
            if name != "__metadata__":
                first, last = row["data_offsets"]
                yield name, row["shape"], last - first
