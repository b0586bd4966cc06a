"""How the base model is adapted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ozfig.recipe.section import Section


class Tune(Section):
    """How the base model is adapted."""

    # options that a head has no use for
    UNUSED: ClassVar[dict[str, frozenset[str]]] = {
        "causal": frozenset(),
        "seq2seq": frozenset({"packing"}),
        "span": frozenset({"template", "context", "passage_share", "packing"}),
    }

    head: Literal["auto", "causal", "seq2seq", "span"] = "auto"
    """What the model does: causal continues the text, seq2seq reads it and writes an answer (T5), span marks the \
answer in the passage (BERT); auto asks the base's configuration."""
    method: Literal["lora", "full"] = "lora"
    """lora trains a small adapter, full every weight."""
    rank: int = Field(16, ge=1)
    """LoRA: rank of the update."""
    alpha: float = Field(32, gt=0)
    """LoRA: the update is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """LoRA: dropout on the adapter's input."""
    template: str = "auto"
    """How a conversation is written: auto takes the base's own, or question_answer for a base without one (for \
seq2seq the bare text); chatml, alpaca and Jinja text are others. It goes into the tokenizer and the exported file."""
    context: Literal["none", "always", "mixed"] = "mixed"
    """Whether a row shows the passage: mixed trains each pair without it and, where there is one, with it."""
    passage_share: float = Field(1.0, ge=0, le=1)
    """mixed: share of the pairs that are also trained with their passage; passages cost most of the time."""
    epochs: float = Field(3, gt=0)
    """Passes over the data."""
    learning_rate: float = Field(2e-4, gt=0)
    """Peak learning rate of AdamW."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    batch_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Tokens of one optimizer step."""
    max_length: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto"
    """Longest row in tokens; auto takes the data's longest within the model's context."""
    packing: bool | Literal["auto"] = "auto"
    """Put several rows into one sequence, none of which sees another."""
    checkpoint_minutes: float = Field(2, gt=0)
    """Minutes between two checkpoints."""

    @property
    def own_template(self) -> str:
        """The template that takes the place of the base's; empty where the base's own stays."""
        return "" if self.template == "auto" else self.template
