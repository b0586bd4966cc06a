"""The gather stage: sources in, documents.jsonl, examples.jsonl and, where there are some, preferences.jsonl out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ozfig import console, files, registry
from ozfig.errors import UserError
from ozfig.gather import Gathered, SourceContext
from ozfig.recipe import Gather
from ozfig.types import Document, Job, Outcome

DOCUMENTS, EXAMPLES, PREFERENCES = "documents.jsonl", "examples.jsonl", "preferences.jsonl"


def run(job: Job) -> Outcome:
    """Ask every source of the section, in order.

    Documents are sorted by address, each once; examples are written as their files are read and keep their
    order, copies included, since dropping them is the next stage's work and is reported there. Raises
    UserError when nothing is found.
    """
    section: Gather = job.section
    found: list[Gathered] = []
    written: Counter[str] = Counter()

    def examples() -> Iterator[dict[str, Any]]:
        for source in section.sources:
            context = SourceContext(job.cache / source.kind, job.refresh)
            gathered: Gathered = registry.find("source", source.kind)(source, context)
            found.append(gathered)
            with console.bar("gather", unit="rows") as bar:  # a source shows its own bar until it returns
                for example in gathered.examples:
                    written[gathered.origin] += 1
                    bar.advance()
                    yield example.to_row()

    files.write_jsonl(job.folder / EXAMPLES, examples())
    documents = {(d.uri, d.id): d for gathered in found for d in gathered.documents}
    if not documents and not written:
        looked = "; ".join(g.looked_at for g in found)
        why = next((f", such as {g.failed[0]}" for g in found if g.failed), "")
        raise UserError(f"gather: nothing found in {looked}{why}; change gather.sources")
    rows = [documents[key] for key in sorted(documents)]
    files.write_jsonl(job.folder / DOCUMENTS, (document.to_row() for document in rows))
    outputs = [DOCUMENTS, EXAMPLES]
    if preferences := {p.id: p for gathered in found for p in gathered.preferences}:
        files.write_jsonl(job.folder / PREFERENCES, (preferences[key].to_row() for key in sorted(preferences)))
        outputs.append(PREFERENCES)
    metrics = _metrics(found, rows, written)
    _tell(metrics)
    return Outcome(outputs=outputs, metrics=metrics)


def _metrics(found: list[Gathered], documents: list[Document], examples: Counter[str]) -> dict[str, Any]:
    """The stage's figures; `sources` has the further counts of each source."""
    return {
        "documents": len(documents),
        "examples": examples.total(),
        "characters": sum(len(d.text) for d in documents),
        "little_text": [d.uri for d in documents if d.note],
        "failed": [line for gathered in found for line in gathered.failed],
        "needs_browser": sum(gathered.needs_browser for gathered in found),
        "sources": [{"origin": g.origin, "looked_at": g.looked_at, **g.counts} for g in found],
    }


def _tell(metrics: dict[str, Any]) -> None:
    """Say in one line how much there is."""
    documents, examples, failed = metrics["documents"], metrics["examples"], len(metrics["failed"])
    console.figures(
        console.counted(documents, "page or file", "pages and files") if documents else "",
        console.counted(metrics["characters"], "character") if documents else "",
        console.counted(examples, "example") if examples else "",
        f"{failed:,} not gathered in full" if failed else "",
    )
