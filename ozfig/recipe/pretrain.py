"""A small language model from scratch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ozfig.recipe.gather import Gather
from ozfig.recipe.prepare import Prepare
from ozfig.recipe.section import Section
from ozfig.recipe.tune import Tune


class Instruct(Section):
    """The short phase in which a pre-trained model learns the chat template."""

    gather: Gather
    """Data sets of instructions."""
    prepare: Prepare = Prepare()
    """Cleaning and held-out rows."""
    tune: Tune = Tune(method="full")
    """How the weights are trained."""


class Pretrain(Section):
    """A small language model from scratch."""

    name: str = "pebble"
    """The model's folder name."""
    seed: int = 7
    """Seed of the first weights and of the order of the data."""
    corpus: list[str] = Field(min_length=1)
    """JSONL files with a `text` field, plain or xz-compressed, relative to the recipe."""
    held_out_share: float = Field(0.005, gt=0, lt=0.5)
    """Share of the documents that is only measured on."""
    vocabulary: int = 8192
    """Size of the SentencePiece vocabulary."""
    width: int = 512
    """Hidden size; a multiple of 256, so that K-quants fit."""
    layers: int = 4
    """Transformer blocks."""
    feed_forward: int = 1024
    """Inner size of the feed-forward part."""
    heads: int = 8
    """Attention heads."""
    kv_heads: int = 4
    """Key-value heads."""
    context: int = 1024
    """Longest sequence in tokens."""
    tokens: int = 10_000_000
    """Tokens to train on."""
    batch_tokens: int = 8192
    """Tokens of one step."""
    lengths: dict[float, int] = {0.0: 256, 0.75: 1024}
    """From which share of the steps on which row length is used: short rows first are faster."""
    warmup_steps: int = 20
    """Steps in which the learning rate rises."""
    decay: float = 0.4
    """Share of the steps, at the end, in which it falls to zero."""
    muon_learning_rate: float = 0.02
    """Learning rate of the hidden matrices."""
    adam_learning_rate: float = 0.004
    """Learning rate of embeddings and norms."""
    compile: bool | Literal["auto"] = "auto"
    """Compile the model; auto does so where a C++ compiler is found."""
    checkpoint_minutes: float = 4
    """Minutes between two checkpoints."""
    eval_steps: int = 100
    """Steps between two measurements on held-out text."""
    instruct: Instruct | None = None
    """What the model is taught after the text."""

    @property
    def steps(self) -> int:
        """Optimizer steps of the text phase."""
        return self.tokens // self.batch_tokens

    def length_at(self, step: int) -> int:
        """Row length in tokens at a step."""
        return self.lengths[max(share for share in self.lengths if share <= step / self.steps)]
