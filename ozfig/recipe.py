"""Every option there is. A field's docstring is its help, its meaning in the docs and the schema's text.

Recipes name things (a `kind`, a model, a file) and never code. Unknown keys are errors that suggest
the nearest known one; names that other tools use for the same thing are accepted and reported.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ozfig import console, files
from ozfig.errors import RecipeError, UserError

T = TypeVar("T", bound="Section")

# where recipes and examples lie: beside the package in a checkout, inside it once installed
SHARE = next(p for p in (Path(__file__).parents[1], Path(__file__).parent / "share") if (p / "recipes").is_dir())
PATH_KEYS = {"path", "serve", "corpus"}
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
    limit: int | None = None
    """Take at most this many rows, from the top."""
    sample: int | None = None
    """Take this many rows of the whole file, chosen by their content's hash."""
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
    limit: int | None = 200
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

    head: Literal["auto", "causal"] = "auto"
    """What is trained; auto reads it from the model's configuration."""
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
    batch_tokens: int | Literal["auto"] = "auto"
    """Tokens of one optimizer step."""
    max_length: int | Literal["auto"] = "auto"
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

    points: list[Literal["base", "tuned", "quantised"]] = ["base", "tuned", "quantised"]
    """Which models are asked."""
    conditions: list[Literal["closed_book", "gold_context"]] = ["closed_book", "gold_context"]
    """Without the passage and with it."""
    metrics: list[str] = ["exact_match", "token_f1", "bertscore", "answer_words", "perplexity"]
    """Names of metrics."""
    limit: int | None = 200
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


def parse(kind: type[T], values: Any, origin: str) -> T:
    """Check values against a recipe type. Raises RecipeError that names `origin`, the key and the mend."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # an unknown key is the likeliest cause of whatever else is wrong, so it is named first
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise RecipeError(f"{origin}: {_explain(kind, first)}") from None


def _explain(kind: type[Section], problem: Any) -> str:
    """One line for the first problem that pydantic found."""
    # a discriminated union puts the chosen kind between the list's index and the field
    path = [str(part) for part in problem["loc"]]
    key = ".".join(p for i, p in enumerate(path) if not (i and path[i - 1].isdigit() and p in _KINDS))
    if problem["type"] == "extra_forbidden":
        known = _fields_at(kind, path[:-1])
        near = difflib.get_close_matches(path[-1], known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown; {hint}"
    if problem["type"] == "missing":
        return f"{key}: required and missing"
    given = "" if isinstance(problem["input"], dict | list) else f" (given: {problem['input']!r})"
    return f"{key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{given}"


_KINDS = {"website", "documents", "dataset", "rules", "none"}


def _fields_at(kind: type[Section], path: list[str]) -> list[str]:
    """The field names of the section that a path of keys leads to, found by walking the type annotations."""
    level: list[type[Section]] = [kind]
    for part in path:
        found: list[type[Section]] = []
        for section in level:
            if part in section.model_fields:
                found += _sections_in(section.model_fields[part].annotation)
        tagged = [s for s in level if "kind" in s.model_fields and s.model_fields["kind"].default == part]
        level = found or tagged or level
    return sorted({name for section in level for name in section.model_fields})


def _sections_in(annotation: Any) -> list[type[Section]]:
    """Every Section type inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [s for part in getattr(annotation, "__args__", ()) for s in _sections_in(part)]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises UserError when the file is missing or is not one."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys to values")
    return values


def override(values: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Apply `section.key=value` settings; values are read as YAML, a number leads into a list."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: write section.key=value")
        *parents, last = key.strip().split(".")
        level: Any = values
        for part in parents:
            if isinstance(level, list):
                if not part.isdigit() or int(part) >= len(level):
                    raise UserError(f"--set {setting}: {part} is not a position in a list of {len(level)}")
                level = level[int(part)]
            else:
                level = level.setdefault(part, {})
            if not isinstance(level, dict | list):
                raise UserError(f"--set {setting}: {part} is a value, not a section")
        if isinstance(level, list):
            raise UserError(f"--set {setting}: {last} cannot replace an item of a list; name a key in it")
        level[last] = yaml.safe_load(text) if text else ""
    return values


def absolute_paths(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The recipe's values with every file and folder made absolute: relative ones start at the recipe."""

    def fix(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: fix(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [fix(v, key) for v in value]
        if key in PATH_KEYS and isinstance(value, str) and value:
            return str((folder / value).resolve())
        return value

    fixed: dict[str, Any] = fix(values)
    base = fixed.get("base")
    if isinstance(base, str) and base.startswith((".", "/", "~")):
        fixed["base"] = str((folder / Path(base).expanduser()).resolve())
    return fixed


def load(kind: type[T], path: Path, settings: list[str] | None = None) -> T:
    """Read a recipe file, apply settings and check it. Raises UserError or RecipeError."""
    values = override(read_yaml(path), settings or [])
    return parse(kind, absolute_paths(values, path.parent.resolve()), str(path))


def dump(recipe: Section) -> str:
    """A recipe as YAML, every value written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def for_target(target: str, settings: list[str] | None = None) -> Recipe:
    """The recipe for a bare URL, folder or data file, with every default.

    Raises UserError when the target is none of these.
    """
    path = Path(target).expanduser()
    source: dict[str, Any]
    if re.match(r"https?://", target):
        host = re.sub(r"^www\.", "", target.split("//", 1)[1].split("/", 1)[0])
        private = re.match(r"(localhost|127\.|\[::1\])", host) is not None
        source = {"kind": "website", "url": target, "allow_private": private}
        name = host
    elif path.is_dir():
        source, name = {"kind": "documents", "path": str(path.resolve())}, path.resolve().name
    elif path.is_file() and re.search(r"\.(csv|tsv|jsonl?)(\.gz)?$", path.name):
        source, name = {"kind": "dataset", "path": str(path.resolve())}, path.name.split(".")[0]
    elif path.is_file():
        source, name = {"kind": "documents", "path": str(path.resolve())}, path.stem
    else:
        raise UserError(f"{target}: not a URL, folder or file; did you mean http://{target} ?")
    values: dict[str, Any] = {"name": re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "site"}
    values["gather"] = {"sources": [source]}
    return parse(Recipe, override(values, settings or []), target)


def find(target: str, settings: list[str] | None = None) -> Recipe:
    """The recipe for whatever a user names: a recipe file, a packaged recipe, a URL, a folder or a data file.

    Raises UserError or RecipeError.
    """
    path = Path(target).expanduser()
    if path.suffix in {".yaml", ".yml"}:
        return load(Recipe, path if path.is_file() else packaged(path), settings)
    shipped = SHARE / "recipes" / f"{target}.yaml"
    if not path.exists() and re.fullmatch(r"[a-z]+", target) and shipped.is_file():
        return load(Recipe, shipped, settings)
    return for_target(target, settings)


def packaged(path: Path) -> Path:
    """The packaged recipe of the same name for a file that is not there, so that `recipes/demo.yaml` works anywhere."""
    shipped = SHARE / "recipes" / path.name
    return shipped if path.parent.name in {"", "recipes"} and shipped.is_file() else path


def paths_in(section: Section) -> list[Path]:
    """Every file and folder that a section names, in order."""
    found: list[Path] = []

    def walk(value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            for k, v in value.items():
                walk(v, k)
        elif isinstance(value, list):
            for v in value:
                walk(v, key)
        elif key in PATH_KEYS and value:
            found.append(Path(value))

    walk(section.model_dump(mode="json"))
    return found


def content_hash(section: Section, seen: dict[str, str]) -> str:
    """Hash of a section with each path replaced by its content's hash (`seen`): a moved folder changes nothing."""

    def fix(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: fix(v) for k, v in value.items()}
        if isinstance(value, list):
            return [fix(v) for v in value]
        return seen.get(value, value) if isinstance(value, str) else value

    return files.sha256_value(fix(section.model_dump(mode="json")))


def options(section: type[Section], prefix: str = "") -> list[tuple[str, str, str]]:
    """Each option of a section: its key, its default and its meaning. Sections within it are walked."""
    rows = []
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        inner = _sections_in(field.annotation)
        default = "required" if field.is_required() else _short(field.default)
        rows.append((key, default, field.description or ""))
        for kind in inner:
            tag = kind.model_fields["kind"].default if "kind" in kind.model_fields else ""
            rows += options(kind, f"{key}[{tag}]." if isinstance(tag, str) and tag else f"{key}.")
    return rows


def _short(default: Any) -> str:
    """A default as a recipe would write it; sections and lists of sections explain themselves below."""
    if isinstance(default, Section) or (isinstance(default, list) and default and isinstance(default[0], Section)):
        return ""
    return yaml.safe_dump(default, default_flow_style=True, width=1000).split("\n")[0]
