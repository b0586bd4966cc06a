"""Every option there is. A field's docstring is its help, its meaning in the docs and the schema's text.

Recipes name things (a `kind`, a model, a file) and never code. Unknown keys are errors that suggest
the nearest known one; names that other tools use for the same thing are accepted and reported.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ozfig import console

SYSTEM = "You are a helpful and detailed assistant called OzFig"
ALIASES = {
    "lora_r": "rank",
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "lr": "learning_rate",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "cutoff_len": "max_length",
    "base_model": "base",
    "model_name_or_path": "base",
    "system_prompt": "system",
    "quantization": "quant",
    "sample_packing": "packing",
    "val_set_size": "share",
}


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, docstrings are help texts."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _known_aliases(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        renamed = {}
        for key, value in values.items():
            name = ALIASES.get(key, key) if key not in cls.model_fields else key
            if name != key and name in cls.model_fields:
                console.warn(f"recipe: {key} is read as {name}")
                key = name
            renamed[key] = value
        return renamed


class Website(Section):
    """A web site, crawled from one address within its host."""

    kind: Literal["website"] = "website"
    url: str
    """Where the crawl starts; pages of the same host below it are followed."""
    connect_to: str = ""
    """Host and port that really answer for the address, as in curl's --connect-to."""
    serve: str = ""
    """A folder of files that ozfig itself serves on loopback as this site, for trying things out offline."""
    max_pages: int = Field(300, ge=1)
    """Stop after this many pages."""
    depth: int = Field(10, ge=0)
    """Follow links at most this far from the start."""
    delay: float = Field(0.0, ge=0)
    """Seconds between two requests; robots.txt may ask for more."""
    concurrency: int = Field(8, ge=1, le=32)
    """Requests under way at once."""
    render: Literal["auto", "always", "never"] = "auto"
    """Run a page's scripts in a browser: auto does so for pages that hold no text without them."""
    allow_private: bool = False
    """Crawl loopback and private addresses too."""


class Documents(Section):
    """A folder or file of Markdown, HTML or text."""

    kind: Literal["documents"] = "documents"
    path: str
    """The folder or file, relative to the recipe."""


class Dataset(Section):
    """A file of questions and answers or of conversations; its shape is told by its keys."""

    kind: Literal["dataset"] = "dataset"
    path: str
    """CSV, JSON or JSONL, also gzipped: question/answer, messages, ShareGPT, Alpaca, prompt/completion, SQuAD."""
    columns: dict[str, str] = {}
    """Which column is the question, answer, context: {question: q, answer: a}."""
    limit: int | None = Field(None, ge=1)
    """Take at most this many questions, from the top."""
    sample: int | None = Field(None, ge=1)
    """Take this many questions of those within the limit, chosen by their content's hash."""
    documents_from: Literal["context", "none"] = "none"
    """`context` also keeps each distinct context as a document."""
    groups: Literal["all", "first_half", "second_half"] = "all"
    """SQuAD only: which half of the articles to take, by the hash of the title."""


Source = Annotated[Website | Documents | Dataset, Field(discriminator="kind")]


class Gather(Section):
    """Where the text comes from."""

    sources: list[Source] = Field(min_length=1)
    """One or more of website, documents, dataset."""


class RulePairs(Section):
    """Question-answer pairs from the structure of the text, without a model."""

    kind: Literal["rules"] = "rules"
    rules: list[Literal["faq", "heading", "definition", "table"]] = ["faq", "heading", "definition", "table"]
    """Which structures become pairs."""


class NoPairs(Section):
    """Only the data sets' own pairs."""

    kind: Literal["none"] = "none"


class Filter(Section):
    """One cleaning step."""

    kind: Literal["exact", "near", "length"]
    """exact: same question and answer; near: alike in words; length: too short or long."""
    threshold: float = Field(0.5, gt=0, le=1)
    """near: the Jaccard similarity of 3-word shingles from which a pair is a duplicate."""
    min_words: int = 1
    """length: fewest words of an answer."""
    max_words: int = 400
    """length: most words of an answer."""


class HeldOut(Section):
    """Questions that are kept for measuring."""

    unit: Literal["question", "document"] = "question"
    """question: the passages are in training, re-worded questions are leaks; document: nothing of it is."""
    path: str = ""
    """A file of questions with reference answers; without it a share is split off."""
    share: float = Field(0.1, gt=0, lt=1)
    """Share of questions or documents to split off."""
    limit: int | None = Field(200, ge=1)
    """At most this many held-out questions."""


class Leaks(Section):
    """What the training side must not repeat."""

    threshold: float = Field(0.6, gt=0, le=1)
    """The similarity of two questions' words from which a training pair is a leak."""


class Prepare(Section):
    """From text to pairs."""

    pairs: Annotated[RulePairs | NoPairs, Field(discriminator="kind")] = RulePairs()
    """How pairs are made from documents."""
    clean: list[Filter] = [Filter(kind="exact"), Filter(kind="near"), Filter(kind="length")]
    """Filters, in this order."""
    leaks: Leaks = Leaks()
    """How repeated held-out questions are found."""
    held_out: HeldOut = HeldOut()
    """What is kept for measuring."""


class Tune(Section):
    """How the base model is adapted."""

    method: Literal["lora", "full"] = "lora"
    """lora trains a small adapter, full every weight."""
    rank: int = Field(16, ge=1)
    """LoRA: rank of the update."""
    alpha: float = Field(32, gt=0)
    """LoRA: the update is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """LoRA: dropout on the adapter's input."""
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


class Export(Section):
    """The files to ship."""

    quant: list[Literal["Q4_K_M", "Q8_0", "F16"]] = Field(["Q4_K_M"], min_length=1)
    """GGUF quantisations; the first is the one that is measured and served."""


class Evaluate(Section):
    """What is measured, and how."""

    points: list[Literal["base", "tuned", "quantised"]] = Field(["base", "tuned", "quantised"], min_length=1)
    """Which models are asked."""
    conditions: list[Literal["closed_book", "gold_context"]] = Field(["closed_book", "gold_context"], min_length=1)
    """Without the passage and with it."""
    metrics: list[str] = Field(["exact_match", "token_f1", "bertscore", "answer_words", "perplexity"], min_length=1)
    """Names of metrics."""
    limit: int | None = Field(200, ge=2)
    """At most this many held-out questions."""
    max_tokens: int = Field(64, ge=1)
    """Longest reply."""
    batch: int = Field(16, ge=1)
    """Questions decoded together; fixed, because the size of a batch can change a reply's last digits."""
    bertscore_model: str = "minilm"
    """Encoder of BERTScore: minilm works offline, any hub id (roberta-large is the field's habit) with internet."""
    resamples: int = Field(10_000, ge=1000)
    """Bootstrap resamples for each interval."""


class Serve(Section):
    """The API and the chat page."""

    max_tokens: int = Field(512, ge=1)
    """Longest reply."""
    temperature: float = Field(0.2, ge=0)
    """Sampling temperature where a request names none."""
    context: int = Field(8192, ge=256)
    """Most tokens of one conversation; a model that was trained on less keeps to its own."""
    parallel: int = Field(4, ge=1)
    """Requests answered side by side; memory for each one's context is set aside at the start."""
    threads: int = Field(0, ge=0)
    """Threads that compute; 0 takes as many as the model has work for. Fewer are faster on a busy machine."""


class Recipe(Section):
    """From sources to a measured assistant."""

    name: str = Field("site", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder name."""
    seed: int = 7
    """Seed of every random choice."""
    base: str = "pebble"
    """Base model: pebble (embedded), a hub id or a local folder."""
    system: str = SYSTEM
    """The system text, the same in tuning, evaluation and chat."""
    gather: Gather
    """Where the text comes from."""
    prepare: Prepare = Prepare()
    """From text to pairs."""
    tune: Tune = Tune()
    """How the base model is adapted."""
    export: Export = Export()
    """The files to ship."""
    evaluate: Evaluate = Evaluate()
    """What is measured, and how."""
    serve: Serve = Serve()
    """The API and the chat page."""


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
