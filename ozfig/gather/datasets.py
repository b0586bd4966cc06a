"""Data sets as a source: files and the hub's, with questions and answers, conversations or plain text."""

from __future__ import annotations

from collections.abc import Iterator

from ozfig import formats
from ozfig.gather import Gathered, SourceContext
from ozfig.recipe import Dataset
from ozfig.types import Example


def gather(section: Dataset, context: SourceContext) -> Gathered:
    """The registry's source `dataset`. Going through its examples raises what `formats.examples` raises."""
    reading = formats.examples(section)
    gathered = Gathered(reading.origin)

    def examples() -> Iterator[Example]:
        yield from reading
        gathered.documents, gathered.failed = reading.documents, reading.failed
        gathered.looked_at = f"{reading.rows:,} rows of {reading.origin}"
        gathered.counts = {"bad_rows": reading.bad, "unanswerable": reading.unanswerable}

    gathered.examples = examples()
    return gathered
