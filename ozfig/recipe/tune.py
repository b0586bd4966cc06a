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
        "seq2seq": frozenset({"packing", "loss_on"}),
        "span": frozenset({"template", "context", "passage_share", "packing", "too_long", "loss_on"}),
    }

    head: Literal["auto", "causal", "seq2seq", "span"] = "auto"
    """What the model does: causal continues the text, seq2seq reads it and writes an answer (T5), span marks the \
answer in the passage (BERT); auto asks the base's configuration."""
    method: Literal["lora", "qlora", "full"] = "lora"
    """lora trains a small adapter, qlora the same over weights of 4 bits (CUDA, bitsandbytes), full every weight."""
    rank: int = Field(16, ge=1)
    """LoRA: rank of the update."""
    alpha: float = Field(32, gt=0)
    """LoRA: the update is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """LoRA: dropout on the adapter's input."""
    rslora: bool = False
    """LoRA: scale the update by alpha / sqrt(rank) instead, for large ranks."""
    dora: bool = False
    """LoRA: train the weights' magnitudes apart from their directions; about half as fast."""
    target_modules: list[str] | Literal["auto"] = "auto"
    """LoRA: names of the layers that get an adapter; auto takes every linear one but the output layer."""
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
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate goes on after the warm-up."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's pull of the trained weights towards zero."""
    batch_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Tokens of one optimizer step."""
    micro_batch_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Tokens that go through the model at once; gradients add up over a step's. It changes time and memory only."""
    max_length: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto"
    """Longest row in tokens; auto takes the data's longest within the model's context."""
    too_long: Literal["drop", "cut"] = "drop"
    """What happens to a row beyond max_length once its passage is cut: it is left out, or loses its end."""
    loss_on: Literal["every_turn", "last_turn"] = "every_turn"
    """Which of the assistant's turns of a conversation are learned."""
    packing: bool | Literal["auto"] = "auto"
    """Put several rows into one sequence, none of which sees another."""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """Where to train; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the matrix products; what is trained is float32. auto takes bfloat16 where it is quick."""
    recompute: bool | Literal["auto"] = "auto"
    """Compute activations again in the backward pass: a third slower, far less memory. auto: only where they must."""
    compile: bool | Literal["auto"] = "auto"
    """Compile the model first (needs g++ on a CPU); auto does not, since it was not faster."""
    validation_share: float = Field(0.0, ge=0, lt=0.5)
    """Share of the training pairs, by the hash of their id, that is only measured on during training."""
    patience: int = Field(0, ge=0)
    """Stop after so many measurements (ten a run) without a better one; 0 never does."""
    keep: Literal["best", "last"] = "best"
    """Which state is kept where there is a validation share: the one that measured best, or the last."""
    checkpoint_minutes: float = Field(2, gt=0)
    """Minutes between two checkpoints."""
    processes: int = Field(1, ge=1)
    """Processes that train together, on GPUs one each: a step's micro-batches are divided between them."""
    sharding: Literal["auto", "ddp", "fsdp"] = "auto"
    """Several processes: ddp gives each a copy of the model, fsdp a part of every weight (CUDA); auto: by its size."""

    def forms(self, example: str, has_passage: bool) -> list[bool]:
        """How the example of this id is shown: without its passage (False), with it (True), or both."""
        # the id is a hash: the same ones every time
        both = has_passage and int(example[:8], 16) < self.passage_share * 16**8
        return {"none": [False], "always": [has_passage], "mixed": [False, True] if both else [False]}[self.context]

    @property
    def own_template(self) -> str:
        """The template that takes the place of the base's; empty where the base's own stays."""
        return "" if self.template == "auto" else self.template
