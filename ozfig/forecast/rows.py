"""How many rows of which lengths there will be to train on and to ask: counted where they are made, else guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ozfig import files, prompts
from ozfig.engines.tokens import counter
from ozfig.recipe import Recipe
from ozfig.recipe.gather import Dataset, Documents, Website
from ozfig.runs import Run
from ozfig.types import Example, ModelRef

MARKERS = 2  # tokens that a template puts around a turn
TOKEN = 4  # characters of English
PAGE = 2500  # characters of a web page's text
PAIR = 130  # characters of text for which the rules make one pair, as measured on recipes/demo.yaml
DOCUMENT_SHARE = {".html": 0.15, ".htm": 0.15, ".pdf": 0.05, ".docx": 0.1, ".pptx": 0.02}  # of a file that is text
QUESTION, ANSWER, PASSAGE = 14, 28, 96  # tokens, measured there too


@dataclass(frozen=True)
class Rows:
    """Lengths of the rows in tokens, how many of each are trained, and how far the figures can be trusted.

    `asked` is the number of held-out questions, `prompt` the mean length of one with its passage.
    """

    lengths: list[int]
    trained: list[int]
    asked: int
    prompt: float
    basis: str

    @property
    def total(self) -> int:
        """Tokens of one pass over the data."""
        return sum(self.lengths)


def estimate(recipe: Recipe, run: Run, base: ModelRef) -> Rows:
    """The rows of a run: by its prepared pairs, else by its gathered text, else by the recipe's sources."""
    train, held_out = (run.stage("prepare") / name for name in ("train.jsonl", "held_out.jsonl"))
    if run.manifest("prepare") and train.exists():
        return _counted(recipe, train, held_out, counter(base))
    documents = run.stage("gather") / "documents.jsonl"
    if run.manifest("gather") and documents.exists():
        characters = sum(len(row["text"]) for row in files.read_jsonl(documents))
        examples = sum(1 for _ in files.read_jsonl(run.stage("gather") / "examples.jsonl"))
        return _guessed(recipe, characters // PAIR + examples, "gathered text")
    pairs = sum(_pairs(source) for source in recipe.gather.sources)
    return _guessed(recipe, pairs, "sources, a guess")


def _counted(recipe: Recipe, train: Path, held_out: Path, count: Callable[[str], int]) -> Rows:
    """Every pair's rows by the base's own tokenizer; a few tokens of each are the template's and a guess."""
    lengths, trained = [], []
    for example in (Example.from_row(row) for row in files.read_jsonl(train)):
        answer = count(example.answer) + 1
        for with_context in recipe.tune.forms(example.id, bool(example.context)):
            turns = prompts.conversation(example, recipe.system, with_context)
            lengths.append(sum(count(turn.content) + MARKERS for turn in turns))
            trained.append(answer)
    asked = [Example.from_row(row) for row in files.read_jsonl(held_out)]
    prompt = [count(e.question) + count(e.context) + MARKERS for e in asked]
    return Rows(lengths, trained, len(asked), sum(prompt) / max(1, len(prompt)), "prepared pairs")


def _guessed(recipe: Recipe, pairs: int, basis: str) -> Rows:
    """Rows of usual lengths for so many pairs."""
    pairs, asked = max(1, pairs), recipe.prepare.held_out
    plain = QUESTION + ANSWER + len(recipe.system) // TOKEN + 2 * MARKERS
    section = recipe.tune
    with_passage = {"none": 0.0, "always": 1.0, "mixed": section.passage_share}[section.context]
    lengths = [plain + PASSAGE] * round(pairs * with_passage)
    lengths += [plain] * (pairs if section.context != "always" else 0)
    questions = _lines(Path(asked.path).expanduser()) if asked.path else round(pairs * asked.share)
    questions = min(questions, asked.limit or questions)
    return Rows(lengths, [ANSWER] * len(lengths), max(2, questions), QUESTION + PASSAGE, basis)


def _pairs(source: object) -> int:
    """About how many pairs a source will give."""
    if isinstance(source, Dataset):
        rows = _lines(Path(source.path).expanduser()) if source.path else 1000
        return min(rows, source.sample or rows, source.limit or rows)
    if isinstance(source, Website) and not source.serve:
        return source.max_pages * PAGE // PAIR
    folder = source.serve if isinstance(source, Website) else source.path if isinstance(source, Documents) else ""
    return int(_text_bytes(Path(folder).expanduser()) // PAIR) if folder else 0


def _text_bytes(path: Path) -> float:
    """Bytes of text in a file or folder."""
    found = [path] if path.is_file() else (p for p in path.rglob("*") if p.is_file())
    return sum(p.stat().st_size * DOCUMENT_SHARE.get(p.suffix.lower(), 1.0) for p in found)


def _lines(path: Path) -> int:
    """About how many rows a data file holds: by lines of text, else by its size."""
    if path.suffix.lower() in {".csv", ".tsv", ".jsonl"} and path.is_file():
        with path.open("rb") as data:
            return sum(1 for _ in data)
    return int(_text_bytes(path) // (TOKEN * (QUESTION + ANSWER)))
