"""From a folder of weights to GGUF: llama.cpp's converter for the layout, our own pass for the quantisation."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from ozfig import console
from ozfig.errors import UserError
from ozfig.export import quantise

FILE_TYPES = {"Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "Q4_K_M": gguf.LlamaFileType.MOSTLY_Q4_K_M}
# the writer makes these itself
OWN_FIELDS = {"general.architecture", "general.file_type", "general.quantization_version"}


def convert(folder: Path, target: Path, name: str) -> None:
    """Write a model folder as an F16 GGUF file. Raises UserError with the converter's reason.

    The converter lets tokenizers bring code of their own; without a network, without a cache and from a
    folder of data alone there is none to run.
    """
    part = target.with_name(f"{target.name}.part")
    words = [sys.executable, "-P", "-m", "convert_hf_to_gguf", str(folder), "--outfile", str(part)]
    words += ["--outtype", "f16", "--model-name", name]
    with tempfile.TemporaryDirectory() as nothing:
        alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": nothing, "HF_MODULES_CACHE": nothing}
        done = subprocess.run(words, env=os.environ | alone, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"this model cannot be written as GGUF: {lines[-1] if lines else 'no reason was given'}")
    part.replace(target)


def quantised(source: Path, target: Path, quant: str) -> None:
    """Write `source` (F16) again with its matrices in another type.

    One tensor is in memory at a time. Metadata is copied, so template and vocabulary are the same; nothing
    in the file depends on time or place.
    """
    reader = gguf.GGUFReader(source)
    part = target.with_name(f"{target.name}.part")
    writer = gguf.GGUFWriter(part, reader.fields["general.architecture"].contents())
    for name, value, kind, inner in _fields(reader):
        writer.add_key_value(name, value, kind, inner)
    writer.add_file_type(FILE_TYPES[quant])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    types = quantise.choose_types(reader.tensors, quant)
    for tensor, kind in zip(reader.tensors, types, strict=True):
        shape = tensor.shape.tolist()[::-1]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), prod(shape) // block * size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
    with console.bar(quant, total=weights, unit="weights") as bar:
        for tensor, kind in zip(reader.tensors, types, strict=True):
            writer.write_tensor_data(_stored_as(tensor, kind))
            bar.advance(int(tensor.n_elements))
    writer.close()
    part.replace(target)


def figures(path: Path) -> dict[str, float]:
    """A GGUF file's bytes, its number of weights, and the bits that one takes (vocabulary not counted)."""
    tensors = gguf.GGUFReader(path).tensors
    weights = sum(int(tensor.n_elements) for tensor in tensors)
    stored = sum(int(tensor.n_bytes) for tensor in tensors)
    return {"bytes": path.stat().st_size, "weights": weights, "bits_per_weight": round(8 * stored / weights, 3)}


def _stored_as(tensor: Any, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """A tensor's data in the chosen type: as it is, or quantised from float32."""
    if kind == tensor.tensor_type:
        return np.asarray(tensor.data)
    return quantise.rows(np.asarray(tensor.data, dtype=np.float32), kind)


def _fields(reader: gguf.GGUFReader) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, value, type and item type of each metadata field that is to be copied."""
    for field in reader.fields.values():
        if field.name not in OWN_FIELDS and not field.name.startswith("GGUF."):
            yield field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None
