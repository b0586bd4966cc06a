"""The stage: every source of the recipe, one after another."""

from __future__ import annotations

import shutil

from ozfig import console, files, registry
from ozfig.errors import UserError
from ozfig.gather import Found, Visit
from ozfig.types import Document, Example, Job, Outcome


def run(job: Job) -> Outcome:
    """Write documents.jsonl and examples.jsonl, each row once and sorted. Raises UserError when both stay empty."""
    documents: dict[str, Document] = {}
    examples: dict[str, Example] = {}
    little: list[str] = []
    failed: dict[str, str] = {}
    needs_browser = 0
    for number, source in enumerate(job.section.sources):
        found: Found = registry.find("source", source.kind)(source, Visit(job.folder / f"source-{number}"))
        documents |= {d.id: d for d in found.documents}
        examples |= {e.id: e for e in found.examples}
        little += found.little_text
        failed |= found.failed
        needs_browser += found.needs_browser
    if not documents and not examples:
        raise UserError(f"gather: the {len(job.section.sources)} sources hold no text and no examples")
    if needs_browser:
        console.warn(f'{needs_browser} pages need JavaScript and were left out: pip install "ozfig[render]" and Chromium')
    ordered = sorted(documents.values(), key=lambda d: (d.uri, d.id))
    files.write_jsonl(job.folder / "documents.jsonl", (d.to_row() for d in ordered))
    files.write_jsonl(job.folder / "examples.jsonl", (examples[i].to_row() for i in sorted(examples)))
    for number in range(len(job.section.sources)):
        shutil.rmtree(job.folder / f"source-{number}", ignore_errors=True)
    return Outcome(
        ["documents.jsonl", "examples.jsonl"],
        {
            "documents": len(documents),
            "examples": len(examples),
            "characters": sum(len(d.text) for d in ordered),
            "little_text": sorted(little),
            "failed": dict(sorted(failed.items())),
            "needs_browser": needs_browser,
        },
    )
