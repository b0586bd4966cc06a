"""From a folder of weights to GGUF: llama.cpp's converter for the layout, our own pass for the quantisations.

The converter writes the weights without loss, in the type that they come in. Every quantisation is then made from
that file in one pass that holds one tensor at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import dequantize

from ozfig import console
from ozfig.errors import UserError
from ozfig.export import quantise

FILE_TYPES = {quant: gguf.LlamaFileType[f"MOSTLY_{quant}"] for quant in quantise.BASE}
# the type in which the converter loses nothing of weights in a safetensors type
LOSSLESS = {"BF16": "BF16", "F16": "F16"}
# the writer makes these itself
OWN_FIELDS = {"general.architecture", "general.file_type", "general.quantization_version"}


def lossless(folder: Path) -> str:
    """The GGUF type that holds a folder's weights as they are: BF16, F16 or F32."""
    kinds = {
        tensor.dtype
        for path in folder.glob("*.safetensors")
        for tensor in gguf.utility.SafetensorsLocal(path).tensors.values()
        if len(tensor.shape) > 1
    }
    return LOSSLESS.get(kinds.pop(), "F32") if len(kinds) == 1 else "F32"


def convert(folder: Path, target: Path, name: str) -> None:
    """Write a model folder as a GGUF file of its own precision. Raises UserError with the converter's reason.

    The converter lets tokenizers bring code of their own; without a network, without a cache and from a
    folder of data alone there is none to run.
    """
    part = target.with_name(f"{target.name}.part")
    words = [sys.executable, "-P", "-m", "convert_hf_to_gguf", str(folder), "--outfile", str(part)]
    words += ["--outtype", lossless(folder).lower(), "--model-name", name]
    with tempfile.TemporaryDirectory() as nothing:
        alone = {"HF_HUB_OFFLINE": "1", "HF_HOME": nothing, "HF_MODULES_CACHE": nothing}
        done = subprocess.run(words, env=os.environ | alone, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"this model cannot be written as GGUF: {_reason(done.stderr)}")
    part.replace(target)


def _reason(said: str) -> str:
    """The converter's last word, in words for users where it is one for its developers."""
    lines = [line for line in said.splitlines() if line.strip()]
    if "BPE pre-tokenizer was not recognized" in said:
        return "llama.cpp's converter does not know its BPE tokenizer; take a base that it knows, not one of your own"
    return lines[-1] if lines else "no reason was given"


def quantised(source: Path, targets: dict[str, Path]) -> None:
    """Write `source` again for each quantisation, all in one pass.

    One tensor is in memory at a time. Metadata is copied, so template and vocabulary are the same; nothing
    in the files depends on time or place. Raises UserError when a type cannot hold a weight.
    """
    reader = gguf.GGUFReader(source)
    types = {quant: quantise.choose_types(reader.tensors, quant) for quant in targets}
    parts = {quant: target.with_name(f"{target.name}.part") for quant, target in targets.items()}
    with ExitStack() as stack:
        writers = {
            quant: stack.enter_context(closing(_opened(reader, part, quant, types[quant])))
            for quant, part in parts.items()
        }
        weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
        bar = stack.enter_context(console.bar("quantise", total=weights * len(targets), unit="weights"))
        for i, tensor in enumerate(reader.tensors):
            raw = _read(source, tensor)
            done: dict[gguf.GGMLQuantizationType, np.ndarray] = {tensor.tensor_type: raw}
            for quant, writer in writers.items():
                kind = types[quant][i]
                if kind not in done:
                    done[kind] = _stored_as(tensor, raw, kind, quant)
                writer.write_tensor_data(done[kind])
                bar.advance(int(tensor.n_elements))
    for quant, part in parts.items():
        part.replace(targets[quant])


def figures(path: Path) -> dict[str, float]:
    """A GGUF file's bytes, its number of weights, and the bits that one takes (vocabulary not counted)."""
    tensors = gguf.GGUFReader(path).tensors
    weights = sum(int(tensor.n_elements) for tensor in tensors)
    stored = sum(int(tensor.n_bytes) for tensor in tensors)
    return {"bytes": path.stat().st_size, "weights": weights, "bits_per_weight": round(8 * stored / weights, 3)}


def _opened(reader: gguf.GGUFReader, part: Path, quant: str, types: list[gguf.GGMLQuantizationType]) -> gguf.GGUFWriter:
    """A file with the metadata of another and a description of its tensors, which are to be written next."""
    writer = gguf.GGUFWriter(part, reader.fields["general.architecture"].contents())
    for name, value, kind, inner in _fields(reader):
        writer.add_key_value(name, value, kind, inner)
    writer.add_file_type(FILE_TYPES[quant])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for tensor, kind in zip(reader.tensors, types, strict=True):
        shape = tensor.shape.tolist()[::-1]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), prod(shape) // block * size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return writer


def _read(path: Path, tensor: Any) -> np.ndarray:
    """A tensor's stored data, read: pages of a mapped file would stay in memory until all of it is there."""
    data = tensor.data
    return np.fromfile(path, dtype=data.dtype, count=data.size, offset=tensor.data_offset).reshape(data.shape)


def _stored_as(tensor: Any, raw: np.ndarray, kind: gguf.GGMLQuantizationType, quant: str) -> np.ndarray:
    """A tensor's data in another type."""
    try:
        return quantise.rows(dequantize(raw, tensor.tensor_type), kind)
    except OverflowError as error:
        raise UserError(f"export.quant: {quant}: {tensor.name}: {error}; take BF16 or Q8_0 in its place") from None


def _fields(reader: gguf.GGUFReader) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, value, type and item type of each metadata field that is to be copied."""
    for field in reader.fields.values():
        if field.name not in OWN_FIELDS and not field.name.startswith("GGUF."):
            yield field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None
