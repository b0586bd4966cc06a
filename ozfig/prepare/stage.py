"""The stage: documents and examples in; training pairs, held-out questions, passages and what was dropped out.

Rows stay on disk: 400,000 of them need no more memory than the filters do.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

from ozfig import console, files, formats, registry
from ozfig.edits import Layer
from ozfig.engines import tokens
from ozfig.errors import UserError
from ozfig.prepare import Context, Made, Verdict, held_out, leaks, mix, personal, semantic, split
from ozfig.prepare.review import page
from ozfig.prepare.rows import StoredRows
from ozfig.prepare.sieve import Laid, Sieve
from ozfig.recipe import Dataset, PersonalFilter, Prepare
from ozfig.retrieval import chunk, index
from ozfig.types import Document, Dropped, Example, Flagged, Job, Outcome, Row

WORK, INDEX = "work", "index"
MUCH = 0.2  # of the rows: a person should know when one reason takes out more
INDEXED = [f"{INDEX}/{name}" for name in (index.PASSAGES, index.WORDS, index.STARTS)]


@dataclass
class _Pairs:
    """The pairs of data sets and makers, and general ones to be mixed in, as they come; counted by their maker."""

    job: Job
    made: Made
    makers: Counter[str] = field(default_factory=Counter)
    general: int = 0

    def __iter__(self) -> Iterator[Example]:
        for row in files.read_jsonl(self.job.inputs["examples"]):
            yield self._counted(Example.from_row(row))
        # what a maker refused comes along, so that a person can restore it
        for example in (*self.made.examples, *(note.example for note in self.made.dropped)):
            yield self._counted(example)
        for example in mix.general_rows(self.job.section.mix, self.makers.total()):
            self.general += 1
            yield example

    def _counted(self, example: Example) -> Example:
        self.makers[example.maker or "dataset"] += 1
        return example


@dataclass
class _Sides:
    """Places of the training rows, the held-out questions, and how many rows are on neither side."""

    train: list[int]
    held_out: list[Example]
    left_out: int = 0


def run(job: Job) -> Outcome:
    """Write train.jsonl, held_out.jsonl, dropped.jsonl, review.jsonl and the passages' index.

    The folder also gets data.html, for people. Raises UserError when either side is left without pairs.
    """
    section: Prepare = job.section
    context, mask = _context(job), _mask(section)
    made = _made(section, context)
    pairs = _Pairs(job, made)
    laid = Laid(pairs, Layer.read(job.inputs.get("edits")))
    sieve = Sieve(StoredRows.write(job.folder / WORK / "rows.jsonl", laid), laid.protected)
    _check_any(sieve, context)
    sieve.apply(_refused(sieve, made))
    for row in section.clean:
        sieve.apply(registry.find("filter", row.kind)(sieve.view, row, context))
    sides = _split(sieve, section, context)
    _part_leaks(sieve, sides, section, context)
    sides.train = mix.weighted(sieve.row, sides.train, section.mix, job.seed)
    _check_sides(sieve, sides)
    dropped, flagged = [*laid.dropped, *sieve.dropped()], list(sieve.flagged())
    outputs = _write(job.folder, sieve, sides, dropped, flagged)
    if context.passages:
        shown = [replace(p, text=mask(p.text), title_path=mask(p.title_path)) for p in context.passages]
        index.build(shown, job.folder / INDEX, section.passages.index, context.cache)
        # vectors are left out of what is hashed: their last digits depend on what was embedded together
        outputs += [name for name in INDEXED if (job.folder / name).exists()]
    metrics = {
        "pairs": dict(sorted(pairs.makers.items())),
        "made": made.counts,
        "passages": len(context.passages),
        "edits": laid.counts(),
        "restored": dict(sorted(sieve.restored.items())),
        **_metrics(sieve, sides, dropped, flagged),
    }
    _tell_edits(laid.layer, sieve)
    _tell(job, sieve, sides)
    shutil.rmtree(job.folder / WORK)
    page.write(job.folder, job.name, metrics, mask)
    return Outcome(outputs, metrics)


def _context(job: Job) -> Context:
    """The documents, cut into passages by the base model's tokens."""
    section: Prepare = job.section
    base = job.models.get("base")
    documents = [Document.from_row(row) for row in files.read_jsonl(job.inputs["documents"])]
    cut = section.passages
    count = tokens.counter(base) if base and documents else None
    passages = [p for d in documents for p in chunk.passages(d, cut.max_tokens, cut.overlap, count)]
    job.cache.mkdir(parents=True, exist_ok=True)
    return Context(job.cache, documents, passages, base, job.seed)


def _mask(section: Prepare) -> Callable[[str], str]:
    """What masks the texts that are shown and searched where the recipe masks those of pairs."""
    masks = [personal.Mask(row) for row in section.clean if isinstance(row, PersonalFilter)]
    return lambda text: reduce(lambda masked, mask: mask(masked), masks, text)


def _made(section: Prepare, context: Context) -> Made:
    """What every pair maker of the recipe makes, together."""
    whole = Made()
    for maker in section.pairs:
        made: Made = registry.find("pairs", maker.kind)(maker, context)
        whole.examples += made.examples
        whole.dropped += made.dropped
        whole.flagged += made.flagged
        whole.counts |= {f"{maker.kind}: {name}": n for name, n in made.counts.items()}
    return whole


def _check_any(sieve: Sieve, context: Context) -> None:
    if not len(sieve.rows):
        raise UserError(
            f"prepare: no pairs found in {len(context.documents)} documents; the rules need headings with text, "
            "questions, definition lists or tables. Let a teacher write pairs (prepare.pairs: {kind: teacher}) or add "
            "a data set of questions and answers to gather.sources"
        )


def _refused(sieve: Sieve, made: Made) -> Iterator[Verdict]:
    """What the makers themselves said of their pairs; an edited pair is another one."""
    notes = {n.example.id: n for n in (*made.flagged, *made.dropped)}
    for i, example in enumerate(sieve.view if notes else ()):
        if note := notes.get(example.id):
            action: Literal["flag", "drop"] = "flag" if isinstance(note, Flagged) else "drop"
            yield Verdict(i, note.reason, action, note.neighbour, note.score)


def _split(sieve: Sieve, section: Prepare, context: Context) -> _Sides:
    """Both sides: questions from a file, or a share of the rows split off."""
    chosen = section.held_out
    if chosen.path:
        asked = held_out.from_file(Path(chosen.path), context.passages, chosen.limit)
        return _Sides(sieve.kept.tolist(), asked)
    found = split.split_off(sieve.view, chosen, context.seed)
    places = sieve.kept
    return _Sides(
        [int(places[i]) for i in found.train],
        [sieve.row(int(places[i])) for i in found.held_out],
        len(found.left_out),
    )


def _part_leaks(sieve: Sieve, sides: _Sides, section: Prepare, context: Context) -> None:
    """Take out of training what repeats a held-out question or a benchmark; list what may re-word one."""
    rules, unit = section.leaks, section.held_out.unit
    benchmarks = [item for named in rules.benchmarks for item in formats.examples(Dataset.of(named))]
    verdicts = leaks.find_leaks(sieve.choose(sides.train), sides.held_out, benchmarks, rules, unit)
    sieve.apply(verdicts, sides.train)
    left = set(sieve.kept.tolist())
    sides.train = [place for place in sides.train if place in left]
    if rules.paraphrase:
        rows = sieve.choose(sides.train)
        sieve.apply(semantic.paraphrases(rows, sides.held_out, rules.paraphrase, context.cache), sides.train)


def _check_sides(sieve: Sieve, sides: _Sides) -> None:
    if not sides.train or not sides.held_out:
        raise UserError(
            f"prepare: {len(sides.train)} pairs to train on and {len(sides.held_out)} held-out questions are left of "
            f"{len(sieve.rows)}, {len(sieve.rows) - len(sieve.kept)} were dropped; both sides need some: see "
            "prepare.clean, prepare.leaks and prepare.held_out"
        )


def _write(
    folder: Path, sieve: Sieve, sides: _Sides, dropped: Iterable[Dropped], flagged: Iterable[Flagged]
) -> list[str]:
    """The stage's files of rows, in an order that only their contents decide; returns their names."""

    def noted(note: Dropped) -> tuple[str, str, str]:
        return note.example.id, note.reason, note.neighbour

    asked: list[Example] = sorted(sides.held_out, key=lambda e: e.id)
    rows: dict[str, Iterable[Row]] = {
        "train.jsonl": (sieve.row(place) for place in sorted(sides.train)),
        "held_out.jsonl": asked,
        "dropped.jsonl": list[Dropped](sorted(dropped, key=noted)),
        "review.jsonl": list[Flagged](sorted(flagged, key=noted)),
    }
    for name, found in rows.items():
        files.write_jsonl(folder / name, (row.to_row() for row in found))
    return list(rows)


def _metrics(sieve: Sieve, sides: _Sides, dropped: Sequence[Dropped], flagged: Sequence[Flagged]) -> dict[str, Any]:
    """The figures of both sides."""
    train = sieve.choose(sides.train)
    return {
        "train": len(train),
        "train_with_context": sum(bool(e.context) for e in train),
        "train_origins": dict(sorted(Counter(e.origin or "unnamed" for e in train).items())),
        "held_out": len(sides.held_out),
        "held_out_without_context": sum(not e.context for e in sides.held_out),
        "held_out_origins": dict(sorted(Counter(e.origin or "unnamed" for e in sides.held_out).items())),
        "left_out": sides.left_out,
        "dropped": dict(sorted(Counter(d.reason for d in dropped).items())),
        "review": dict(sorted(Counter(f.reason for f in flagged).items())),
    }


def _tell_edits(layer: Layer, sieve: Sieve) -> None:
    """Say in one line each what a person should know of their edits."""
    if layer.unused:
        gone = console.counted(len(layer.unused), "edited pair")
        console.warn(f"edits: {gone} of earlier not there any more, such as {layer.unused[0]}")
    leaked: Counter[str] = Counter()
    for reason, n in sieve.restored.items():
        if reason.startswith("leak: "):
            leaked["benchmark" if reason.startswith(leaks.BENCHMARK) else "held-out"] += n
    for kind, n in sorted(leaked.items()):
        pairs = console.counted(n, "restored pair")
        console.warn(f"edits: {pairs} with a {kind} question; the scores will flatter the model")


def _tell(job: Job, sieve: Sieve, sides: _Sides) -> None:
    """Say what was taken out in large numbers or changed sides since last time, and how many pairs are where."""
    rows, taken = len(sieve.rows), sieve.taken()
    for reason, n in taken.most_common():
        if n > MUCH * rows:
            look = f'ozfig review {job.folder.parent} --find "{reason}"'
            console.warn(f'"{reason}" took {n:,} of {rows:,} pairs out ({n / rows:.0%}); look at them with: {look}')
    if moved := split.moved(job.cache / "held_out.json", sides.held_out, sieve.choose(sides.train)):
        questions = console.counted(moved, "question")
        console.warn(f"{questions} held out last time, now trained on: these scores do not compare with the last ones")
    console.figures(
        console.counted(rows, "pair"),
        f"{len(sides.train):,} to train on",
        f"{len(sides.held_out):,} held out",
        f"{sides.left_out:,} over the limit" if sides.left_out else "",
        f"{taken.total():,} dropped" if taken else "",
    )
