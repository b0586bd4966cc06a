"""Quantisation by ggml's own routine, which the xllamacpp wheel carries: no compiler, no other program.

The mix of types is llama.cpp's Q4_K_M: most matrices Q4_K; the output matrix, and attention values and
feed-forward outputs of about half of the layers, Q6_K. K-quants need rows of a multiple of 256 weights;
other rows take the nearest type in blocks of 32, as llama.cpp does.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Kind

FALLBACK = {Kind.Q4_K: Kind.Q5_0, Kind.Q5_K: Kind.Q5_1, Kind.Q6_K: Kind.Q8_0}
# small matrices that decide much: norms, an expert's router, learned positions
KEPT = re.compile(r"norm|ffn_gate_inp|position_embd|token_types")
ROWS_AT_ONCE = 1024


def choose_types(tensors: Sequence[Any], quant: str) -> list[Kind]:
    """The type of each tensor under a quantisation: Q4_K_M or Q8_0."""
    names = [tensor.name for tensor in tensors]
    layers = 1 + max((int(n) for name in names for n in re.findall(r"^blk\.(\d+)\.", name)), default=0)
    head = "output.weight" if "output.weight" in names else "token_embd.weight"
    return [_type_of(tensor, quant, layers, head) for tensor in tensors]


def _type_of(tensor: Any, quant: str, layers: int, head: str) -> Kind:
    """Vectors and norms stay as they are; matrices take the quantisation's type."""
    if len(tensor.shape) < 2 or not tensor.name.endswith(".weight") or KEPT.search(tensor.name):
        return Kind(tensor.tensor_type)
    kind = Kind.Q8_0 if quant == "Q8_0" else _mixed(tensor.name, layers, head)
    width = int(tensor.shape[0])  # GGUF gives the row length first
    if width % 256 and kind in FALLBACK:
        kind = FALLBACK[kind]
    return Kind.F16 if width % 32 else kind


def _mixed(name: str, layers: int, head: str) -> Kind:
    """Q4_K_M's choice for a matrix."""
    if name == head:
        return Kind.Q6_K
    if "attn_qkv" in name:
        return Kind.Q5_K
    found = re.match(r"blk\.(\d+)\.(attn_v|ffn_down)\.", name)
    return Kind.Q6_K if found and wants_more_bits(int(found[1]), layers) else Kind.Q4_K


def wants_more_bits(layer: int, layers: int) -> bool:
    """llama.cpp's rule: the first and last eighth of the layers, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def rows(values: np.ndarray, kind: Kind) -> np.ndarray:
    """Quantise a float32 matrix of shape (..., width); returns bytes of shape (..., bytes a row).

    ggml releases the interpreter's lock, so blocks of rows are done side by side.
    """
    if kind == Kind.F16:
        return values.astype(np.float16)
    width = values.shape[-1]
    flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1, width)
    block, size = GGML_QUANT_SIZES[kind]
    out = np.empty((len(flat), width // block * size), dtype=np.uint8)
    parts = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(flat), ROWS_AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda part: _chunk(flat[part], out[part], kind), parts))
    return out.reshape(*values.shape[:-1], -1)


def _chunk(source: np.ndarray, target: np.ndarray, kind: Kind) -> None:
    """Quantise consecutive rows in place of `target`."""
    written = _ggml().ggml_quantize_chunk(
        int(kind), source.ctypes.data, target.ctypes.data, 0, source.shape[0], source.shape[1], None
    )
    if written != target.nbytes:
        raise RuntimeError(f"ggml wrote {written} bytes of {kind.name} where {target.nbytes} were expected")


@cache
def _ggml() -> ctypes.CDLL:
    """ggml's C functions out of xllamacpp's shared object."""
    import xllamacpp.xllamacpp as shared

    native = ctypes.CDLL(shared.__file__)
    native.ggml_quantize_chunk.restype = ctypes.c_size_t
    native.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return native
