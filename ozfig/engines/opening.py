"""The engine that a model needs, by its head."""

from __future__ import annotations

from ozfig.engines.base import Engine
from ozfig.types import ModelRef


def load(ref: ModelRef) -> Engine:
    """Open a model on this machine. Raises UserError for one that cannot be opened."""
    if ref.kind == "gguf" and ref.only_answers:
        from ozfig.engines.gguf_engine import GgufEngine

        return GgufEngine(ref)
    if ref.head == "seq2seq":
        from ozfig.engines import seq2seq

        return seq2seq.load(ref)
    if ref.head == "span":
        from ozfig.engines import span

        return span.load(ref)
    from ozfig.engines import transformers

    return transformers.load(ref)
