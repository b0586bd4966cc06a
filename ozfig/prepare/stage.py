"""The stage: documents and examples in; training pairs, held-out questions and what was dropped out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ozfig import files, registry
from ozfig.errors import UserError
from ozfig.prepare import leaks, split
from ozfig.recipe import Prepare
from ozfig.types import Document, Dropped, Example, Job, Outcome


def run(job: Job) -> Outcome:
    """Write train.jsonl, held_out.jsonl and dropped.jsonl, each sorted by id."""
    section: Prepare = job.section
    documents = [Document.from_row(row) for row in files.read_jsonl(job.inputs["documents"])]
    examples = [Example.from_row(row) for row in files.read_jsonl(job.inputs["examples"])]
    made = registry.find("pairs", section.pairs.kind)(documents, section.pairs)
    if not made and not examples:
        raise UserError(
            f"prepare: no pairs found in {len(documents)} documents; the rules need headings with text, questions, "
            "definition lists or tables. Add a data set of questions and answers to gather.sources"
        )
    kept, dropped = clean([*examples, *made], section)
    if section.held_out.path:
        held_out = split.from_file(Path(section.held_out.path), documents, section.held_out.limit)
        train = kept
    else:
        train, held_out = split.split_off(kept, section.held_out, job.seed)
    train, leaked = leaks.find_leaks(train, held_out, section.leaks.threshold, section.held_out.unit)
    dropped += leaked
    if not train or not held_out:
        raise UserError(
            f"prepare: {len(train)} pairs to train on and {len(held_out)} held-out questions are left of "
            f"{len(made) + len(examples)}, {len(dropped)} were dropped; both sides need some: see prepare.clean, "
            "prepare.leaks and prepare.held_out"
        )
    _write(job.folder, train, held_out, dropped)
    return Outcome(
        ["train.jsonl", "held_out.jsonl", "dropped.jsonl"],
        {
            "pairs": dict(sorted(Counter(e.maker or "dataset" for e in [*examples, *made]).items())),
            "train": len(train),
            "train_with_context": sum(bool(e.context) for e in train),
            "held_out": len(held_out),
            "held_out_without_context": sum(not e.context for e in held_out),
            "dropped": dict(sorted(Counter(d.reason for d in dropped).items())),
        },
    )


def clean(examples: Sequence[Example], section: Prepare) -> tuple[list[Example], list[Dropped]]:
    """Apply the recipe's filters in order; the order of the examples themselves does not matter."""
    kept = sorted(examples, key=lambda e: e.id)
    dropped: list[Dropped] = []
    for row in section.clean:
        kept, out = registry.find("filter", row.kind)(kept, row)
        dropped += out
    return kept, dropped


def _write(folder: Path, train: Sequence[Example], held_out: Sequence[Example], dropped: Sequence[Dropped]) -> None:
    for name, rows in (("train", train), ("held_out", held_out)):
        files.write_jsonl(folder / f"{name}.jsonl", (e.to_row() for e in sorted(rows, key=lambda e: e.id)))
    ordered = sorted(dropped, key=lambda d: (d.example.id, d.reason))
    files.write_jsonl(folder / "dropped.jsonl", (d.to_row() for d in ordered))
