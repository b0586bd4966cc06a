"""A SentencePiece vocabulary from a `tokenizer.json`, for folders that hold no `tokenizer.model`.

Transformers saves Llama's, Mistral's and Gemma's tokenizers as `tokenizer.json` alone. llama.cpp's converter then
takes every piece for equally likely and so merges other ones than training did. The order of the merges is the order
of the scores, so the scores can be had back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ozfig import files

NAME = "tokenizer.model"
# sentencepiece_model.proto: SentencePiece.Type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
BPE = 2  # TrainerSpec.ModelType


def add(folder: Path) -> None:
    """Write `tokenizer.model` beside a `tokenizer.json` of byte-pair merges with bytes for what is unknown."""
    source = folder / "tokenizer.json"
    if (folder / NAME).exists() or not source.exists():
        return
    described = json.loads(source.read_text(encoding="utf-8"))
    model = described["model"]
    if model.get("type") == "BPE" and model.get("byte_fallback"):
        files.write_bytes(folder / NAME, _proto(described).SerializeToString(deterministic=True))


def _proto(described: dict[str, Any]) -> Any:
    """The vocabulary as SentencePiece stores it; a piece's score is minus the place of the merge that makes it."""
    from sentencepiece import sentencepiece_model_pb2

    model = described["model"]
    ids = dict(model["vocab"])
    added = {token["content"]: token for token in described.get("added_tokens", [])}
    ids |= {content: token["id"] for content, token in added.items()}
    scores: dict[str, int] = {}
    for place, merge in enumerate(model["merges"]):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault(left + right, -place)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.trainer_spec.model_type = BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.add_dummy_prefix = _prepends(described)
    proto.normalizer_spec.remove_extra_whitespaces = False
    for piece, _ in sorted(ids.items(), key=lambda item: item[1]):
        kind = _kind(piece, added.get(piece), model.get("unk_token"))
        proto.pieces.add(piece=piece, score=float(scores.get(piece, -len(model["merges"]))), type=kind)
    return proto


def _kind(piece: str, added: dict[str, Any] | None, unknown: str | None) -> int:
    if piece == unknown:
        return UNKNOWN
    if added:
        return CONTROL if added["special"] else USER_DEFINED
    return BYTE if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">") else NORMAL


def _prepends(described: dict[str, Any]) -> bool:
    """Whether a space goes before the first word."""
    parts = [described.get("normalizer") or {}, described.get("pre_tokenizer") or {}]
    parts += [inner for part in parts for key in ("normalizers", "pretokenizers") for inner in part.get(key, [])]
    return any(
        part.get("type") == "Prepend"
        or (part.get("type") == "Metaspace" and part.get("prepend_scheme", "always") != "never")
        for part in parts
    )
