"""Which tensor takes which type, by llama.cpp's rules, and ggml's own routine to write it.

The routine comes with the xllamacpp wheel: no compiler, no other program. A mix such as Q4_K_M gives most matrices
one type and more bits to those that errors hurt most: the output matrix, and attention values and feed-forward
outputs of some layers. The rules are those of `llama_tensor_get_type_impl` in llama.cpp's src/llama-quant.cpp;
its exceptions for Falcon, for models of 70 billion weights and for mixtures of eight experts are left out.
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

# what most matrices of a quantisation take
BASE = {
    "F16": Kind.F16,
    "BF16": Kind.BF16,
    "Q8_0": Kind.Q8_0,
    "Q6_K": Kind.Q6_K,
    "Q5_K_M": Kind.Q5_K,
    "Q5_K_S": Kind.Q5_K,
    "Q4_K_M": Kind.Q4_K,
    "Q4_K_S": Kind.Q4_K,
    "Q3_K_M": Kind.Q3_K,
}
# K-quants need rows of a multiple of 256 weights; other rows take the nearest type in blocks of 32
FALLBACK = {Kind.Q3_K: Kind.Q4_0, Kind.Q4_K: Kind.Q5_0, Kind.Q5_K: Kind.Q5_1, Kind.Q6_K: Kind.Q8_0}
# small matrices that decide much: norms, an expert's router, learned positions
KEPT = re.compile(r"_norm\.|ffn_gate_inp|position_embd|token_types|ssm_conv1d|shortconv|time_mix_|attn_rel_b")
VALUES = ("attn_v", "attn_qkv", "attn_kv_b")
ROWS_AT_ONCE = 1024


def choose_types(tensors: Sequence[Any], quant: str) -> list[Kind]:
    """The type of each tensor under a quantisation, one of BASE."""
    names = [tensor.name for tensor in tensors]
    layers = 1 + max((int(n) for name in names for n in re.findall(r"^blk\.(\d+)\.", name)), default=0)
    head = "output.weight" if "output.weight" in names else "token_embd.weight"
    return [_type_of(tensor, quant, layers, head) for tensor in tensors]


def _type_of(tensor: Any, quant: str, layers: int, head: str) -> Kind:
    """Vectors and norms stay as they are; matrices take the quantisation's type."""
    if len(tensor.shape) < 2 or not tensor.name.endswith(".weight") or KEPT.search(tensor.name):
        return Kind(tensor.tensor_type)
    if BASE[quant] in (Kind.F16, Kind.BF16):
        return BASE[quant]
    kind = _mixed(tensor.name, quant, layers, head)
    width = int(tensor.shape[0])  # GGUF gives the row length first
    if width % 256 and kind in FALLBACK:
        kind = FALLBACK[kind]
    return Kind.F16 if width % 32 else kind


def _mixed(name: str, quant: str, layers: int, head: str) -> Kind:
    """A quantisation's choice for a matrix."""
    base = BASE[quant]
    if name == head:
        return base if base == Kind.Q8_0 else Kind.Q6_K
    found = re.match(r"blk\.(\d+)\.(\w+)\.", name)
    if not found:
        return base
    layer, part = int(found[1]), found[2]
    if part in VALUES:
        return _for_values(quant, layer, layers)
    if part.startswith("ffn_down"):
        return _for_outputs(quant, layer, layers)
    return Kind.Q4_K if quant == "Q3_K_M" and part == "attn_output" else base


def _for_values(quant: str, layer: int, layers: int) -> Kind:
    """Attention values, alone or in one matrix with queries and keys."""
    if quant in ("Q4_K_M", "Q5_K_M") and wants_more_bits(layer, layers):
        return Kind.Q6_K
    if quant == "Q4_K_S" and layer < 4:
        return Kind.Q5_K
    if quant == "Q3_K_M":
        return Kind.Q5_K if layer < 2 else Kind.Q4_K
    return BASE[quant]


def _for_outputs(quant: str, layer: int, layers: int) -> Kind:
    """What leads out of a feed-forward block."""
    if quant in ("Q4_K_M", "Q5_K_M") and wants_more_bits(layer, layers):
        return Kind.Q6_K
    if quant == "Q4_K_S" and layer < layers // 8:
        return Kind.Q5_K
    if quant == "Q3_K_M":
        return Kind.Q5_K if layer < layers // 16 else Kind.Q4_K
    return BASE[quant]


def wants_more_bits(layer: int, layers: int) -> bool:
    """llama.cpp's rule: the first and last eighth of the layers, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def rows(values: np.ndarray, kind: Kind) -> np.ndarray:
    """A float32 matrix of shape (..., width) in another type: bytes of shape (..., bytes a row).

    ggml releases the interpreter's lock, so blocks of rows are done side by side. Raises OverflowError when the
    type cannot hold a value (float16 ends at 65,504).
    """
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
    if not _ggml().ggml_validate_row_data(int(kind), target.ctypes.data, written):
        raise OverflowError(f"{kind.name} cannot hold weights as large as {np.abs(source).max():g}")


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
    native.ggml_validate_row_data.restype = ctypes.c_bool
    native.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    return native
