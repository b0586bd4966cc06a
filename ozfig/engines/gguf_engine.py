"""A GGUF file that comes alone as an engine: llama.cpp answers, with the file's own template.

What an export wrote is scored by its weights instead (`engines/transformers.py`); for that the folder it was made
from has to be there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ozfig.engines.base import AnswerLoss, Conversation, Decoding
from ozfig.engines.gguf import LlamaServer, trained_context
from ozfig.engines.openai import Endpoint
from ozfig.engines.remote import RemoteEngine
from ozfig.types import ModelRef

MARKERS = 256  # tokens that a template may add to a prompt
PATIENCE = 1800.0  # seconds: large models answer slowly on a processor


class GgufEngine:
    """Answers one question after another, so that the same file gives the same replies."""

    context = 0

    def __init__(self, ref: ModelRef) -> None:
        self.name, self.ref = ref.name, ref

    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """One greedy reply for each conversation, in order. Raises UserError for a file that llama.cpp refuses."""
        longest = max(sum(len(m.content.encode()) for m in messages) for messages in prompts)
        room = longest + MARKERS + decoding.max_tokens  # a token is a byte at least
        with LlamaServer(self.ref.path, min(room, trained_context(Path(self.ref.path))), slots=1) as server:
            endpoint = Endpoint(server.base_url, self.name, key=server.key, timeout=PATIENCE)
            return RemoteEngine(self.name, endpoint, at_once=1).generate(prompts, decoding, progress)

    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """No loss for any answer: llama.cpp's server gives no probabilities of a prompt's tokens."""
        return [AnswerLoss(0.0, 0)] * len(answers)
