"""How far the next-token distributions of two sets of weights lie apart, over real answers.

Mean Kullback-Leibler divergence D(trained || exported) in nats a token, and the share of tokens where both find the
same one likeliest: the figures by which quantisations are compared in llama.cpp's own tools.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ozfig.engines.base import Conversation
from ozfig.engines.transformers import TransformersEngine

TOKENS = 4096  # in all
ROWS = 200


class Reference:
    """The distributions of the trained model, kept in a nameless file: a large vocabulary fills gigabytes."""

    def __init__(
        self, engine: TransformersEngine, prompts: Sequence[Conversation], answers: Sequence[str], folder: Path
    ) -> None:
        """Ask the model about the first answers that make up TOKENS tokens."""
        self.prompts, self.answers, self.lengths = list(prompts[:ROWS]), list(answers[:ROWS]), list[int]()
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by close)
        for logits, _ in engine.answer_logits(self.prompts, self.answers):
            kept = logits[: TOKENS - sum(self.lengths)]
            torch.log_softmax(kept, -1).cpu().numpy().tofile(self._file)
            self.lengths.append(len(kept))
            self.vocabulary = kept.shape[-1]
            if sum(self.lengths) >= TOKENS:
                break
        self._file.flush()

    def compare(self, engine: TransformersEngine) -> dict[str, float]:
        """`kl` and `top1` of an engine's weights against the trained ones, over `tokens` tokens of answers."""
        self._file.seek(0)
        divergence, same = 0.0, 0
        rows = len(self.lengths)
        found = engine.answer_logits(self.prompts[:rows], self.answers[:rows])
        for length, (logits, _) in zip(self.lengths, found, strict=True):
            stored = np.fromfile(self._file, dtype=np.float32, count=length * self.vocabulary)
            ours = torch.from_numpy(stored).reshape(length, self.vocabulary)
            theirs = torch.log_softmax(logits[:length], -1).cpu()
            divergence += float((ours.exp() * (ours - theirs)).sum())
            same += int((ours.argmax(-1) == theirs.argmax(-1)).sum())
        tokens = sum(self.lengths)
        return {"kl": round(max(0.0, divergence / tokens), 6), "top1": round(same / tokens, 4), "tokens": tokens}

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
