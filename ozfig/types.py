"""What flows between the stages. One row of a JSONL file is one of these."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

from ozfig.files import sha256_text, sha256_value

Role = Literal["system", "user", "assistant"]
ModelKind = Literal["transformers", "adapter", "gguf", "openai"]


class Row:
    """A dataclass that reads and writes JSON objects; optional fields that are empty are left out."""

    def to_row(self) -> dict[str, Any]:
        """The JSON object of this value."""
        optional = {f.name for f in fields(self) if f.default is not MISSING or f.default_factory is not MISSING}  # type: ignore[arg-type]
        row = asdict(self)  # type: ignore[call-overload]
        return {k: v for k, v in row.items() if k not in optional or v not in (None, [], {}, "")}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """The value of a JSON object that `to_row` made."""
        return cls(**row)


@dataclass(frozen=True)
class Message(Row):
    """One turn of a conversation: the same from a data set, in training, in evaluation and in the chat."""

    role: Role
    content: str


@dataclass(frozen=True)
class Document(Row):
    """A page or file as Markdown. `id` hashes address and text, so that equal content has equal rows.

    `uri` holds no loopback port and the row no time: hashed outputs must not depend on when they were made.
    `note` says what a person should know, such as a page that gave little text.
    """

    id: str
    uri: str
    title: str
    text: str
    source: str = ""
    note: str = ""

    @classmethod
    def make(cls, uri: str, title: str, text: str, source: str = "", note: str = "") -> Document:
        """A document with its id filled in."""
        return cls(sha256_text(f"{uri}\n{text}")[:16], uri, title, text, source, note)


@dataclass(frozen=True)
class Example(Row):
    """A conversation to learn from or to be asked. The last message is the assistant's reference answer.

    `context` is the passage that holds the answer, `answers` further accepted answers, `source` the
    document's uri or the file, `origin` the source of the recipe that it came from (a site's address, a
    folder's or file's name), `maker` what made the pair (faq, heading, definition, table, teacher, dataset, feedback,
    hand, held_out), `evidence` the sentences of the context that support the answer, where they were looked for.
    """

    id: str
    messages: list[Message]
    context: str = ""
    answers: list[str] = field(default_factory=list)
    source: str = ""
    maker: str = ""
    origin: str = ""
    evidence: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, messages: list[Message], **fields: Any) -> Example:
        """An example whose id is the hash of its messages and context."""
        content = [[m.role, m.content] for m in messages], fields.get("context", "")
        return cls(sha256_value(content)[:16], messages, **fields)

    @classmethod
    def pair(cls, question: str, answer: str, **fields: Any) -> Example:
        """An example of one question and its answer."""
        return cls.make([Message("user", question), Message("assistant", answer)], **fields)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Example:
        """The example of a JSON object; its messages become Message values."""
        return cls(**{**row, "messages": [Message(**m) for m in row["messages"]]})

    @property
    def question(self) -> str:
        """The last thing that the user says."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """The reference answer: the last message."""
        return self.messages[-1].content

    @property
    def references(self) -> list[str]:
        """Every accepted answer, the reference first."""
        return [self.answer, *(a for a in self.answers if a != self.answer)]


@dataclass(frozen=True)
class Preference(Row):
    """Two answers to one conversation, of which a person likes `chosen` better."""

    id: str
    messages: list[Message]
    chosen: str
    rejected: str
    origin: str = ""

    @classmethod
    def make(cls, messages: list[Message], chosen: str, rejected: str, origin: str = "") -> Preference:
        """A preference whose id is the hash of its texts."""
        content = [[m.role, m.content] for m in messages], chosen, rejected
        return cls(sha256_value(content)[:16], messages, chosen, rejected, origin)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Preference:
        """The preference of a JSON object; its messages become Message values."""
        return cls(**{**row, "messages": [Message(**m) for m in row["messages"]]})


@dataclass(frozen=True)
class Dropped(Row):
    """An example that was taken out: why, and the question that it repeats or the words at fault (`neighbour`)."""

    example: Example
    reason: str
    neighbour: str = ""
    score: float | None = None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Dropped:
        """The dropped example of a JSON object."""
        return cls(**{**row, "example": Example.from_row(row["example"])})


@dataclass(frozen=True)
class Flagged(Dropped):
    """An example that was kept, and that a person should look at: why, and what it is near to."""


@dataclass(frozen=True)
class ModelRef(Row):
    """A model on disk or behind a URL. `path` is its folder, its GGUF file or its URL.

    An adapter names the base folder that it sits on; a GGUF file names the merged folder whose
    tokenizer and configuration it was made from (`base`). `sha256` is of the weights. `head` is `seq2seq` or
    `span`, or empty for a causal model.
    """

    kind: ModelKind
    path: str
    name: str
    base: str = ""
    sha256: str = ""
    quantisation: str = ""
    head: str = ""

    @property
    def only_answers(self) -> bool:
        """Whether it gives no probabilities of a text: as any server, and as a GGUF file that comes alone."""
        return self.kind == "openai" or (self.kind == "gguf" and not self.base)


@dataclass(frozen=True)
class Sample(Row):
    """One reply of one model to one held-out question, with everything that scored it.

    `nats` and `tokens` are the summed loss and length of the reference answer under the model; both are 0 for a
    model that gives no probabilities.
    """

    model: str
    condition: str
    item: str
    prompt: list[Message]
    references: list[str]
    reply: str
    nats: float
    tokens: int
    scores: dict[str, float]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Sample:
        """The sample of a JSON object."""
        return cls(**{**row, "prompt": [Message(**m) for m in row["prompt"]]})


@dataclass(frozen=True)
class Score(Row):
    """A mean over n samples with its standard error; `clusters` counts their documents, where they share some."""

    model: str
    task: str
    version: float
    condition: str
    metric: str
    n: int
    mean: float
    stderr: float
    clusters: int | None = None


@dataclass(frozen=True)
class Comparison(Row):
    """The paired difference b - a of one metric with its 95 % interval and two-sided p.

    `test` is what gave p (t, bootstrap or mcnemar), `p_adjusted` is p corrected for the number of comparisons in its
    family (Holm), `clusters` how many documents the samples are of, where they share some.
    """

    a: str
    b: str
    task: str
    condition: str
    metric: str
    n: int
    difference: float
    low: float
    high: float
    p: float
    test: str = ""
    p_adjusted: float | None = None
    clusters: int | None = None

    @property
    def is_noise(self) -> bool:
        """Whether the interval holds zero, or p is not small."""
        return self.low <= 0 <= self.high or self.p >= 0.05


@dataclass(frozen=True)
class Manifest(Row):
    """What a stage did: written last, so that a folder without one is unfinished.

    `outputs` maps the stage's files to their hashes; pages for people are not hashed and not listed. A stage that
    went on from where it was stopped is `continued`; its seconds are those of the rest.
    `frozen_key` is the key of the same section with every `auto` resolved, as the run's own recipe has it.
    `models` are the references that it gave, with paths inside the run relative to it.
    """

    stage: str
    key: str
    frozen_key: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    metrics: dict[str, Any]
    versions: dict[str, str]
    seconds: float
    peak_memory_mb: float
    disk_mb: float = 0.0
    continued: bool = False
    models: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Manifest:
        """The manifest of a JSON object."""
        return cls(**row)


@dataclass(frozen=True)
class Job:
    """What the pipeline hands to a stage: its section of the recipe, the files it reads, the folder it fills.

    `inputs` maps names (such as "documents") to files of earlier stages or to files that the section names.
    `cache` is a folder of the stage's own that outlives a change of the recipe: what was costly to get from
    outside (pages, a teacher's answers) is kept there under a key of its own. Its loss costs time only.
    """

    name: str
    section: Any
    seed: int
    system: str
    folder: Path
    inputs: dict[str, Path]
    models: dict[str, ModelRef]
    cache: Path
    refresh: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a stage gives back: its files (relative to its folder), figures, models and resolved `auto` values."""

    outputs: list[str]
    metrics: dict[str, Any] = field(default_factory=dict)
    models: dict[str, ModelRef] = field(default_factory=dict)
    resolved: dict[str, Any] = field(default_factory=dict)
