"""The examples of a data set as they are read: from a file or the hub, bad rows told and skipped."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from ozfig import console
from ozfig.errors import UserError
from ozfig.formats import hub, shapes
from ozfig.formats.rows import BadRow, Row, read_rows
from ozfig.recipe import Dataset
from ozfig.types import Document, Example

HEAD = 20  # rows whose keys tell the shape: an optional key may be absent from the first
FEW_BAD = 10  # bad rows that are always skipped
MOST_NAMED = 100  # bad rows that are named; the others are counted
HOPELESS_AFTER = 1000  # rows after which the share of bad ones is believed


class Reading:
    """A data set that is read once, row by row, by going through it.

    `origin` names it. The rest is whole when the last example has been given: `documents` (rows of plain text,
    and distinct contexts where they are wanted), `failed` (bad rows with their place) and the counts. Going
    through it raises UserError when the file cannot be read, its shape is not known or too many rows are bad,
    OutsideError when the hub does not answer.
    """

    def __init__(self, section: Dataset) -> None:
        self._section = section
        self._where = section.path or section.hub
        self.origin = section.hub or Path(section.path).name
        self.documents: list[Document] = []
        self.failed: list[str] = []
        self.rows = self.bad = self.unanswerable = 0

    def __iter__(self) -> Iterator[Example]:
        found: Iterator[Example | Document] = islice(self._found(), self._section.limit)
        if self._section.sample is not None:
            # the smallest hashes are a fair draw, and no more than these are ever held
            found = iter(heapq.nsmallest(self._section.sample, found, key=lambda item: item.id))
        contexts: set[str] = set()
        none_good = True
        for item in found:
            none_good = False
            if isinstance(item, Document):
                self.documents.append(item)
                continue
            if self._section.documents_from == "context" and item.context:
                document = self._context(item)
                if document.id not in contexts:
                    contexts.add(document.id)
                    self.documents.append(document)
            yield item
        self._check(none_good)
        if self.bad:
            rows = console.counted(self.bad, "row")
            console.warn(f"{self.origin}: {rows} left out, the first is {self.failed[0]}")
        if self.bad > MOST_NAMED:
            self.failed.append(f"{self.origin}: {self.bad - MOST_NAMED} more bad rows")

    def _found(self) -> Iterator[Example | Document]:
        """Everything that the data set holds, in its order."""
        rows = hub.read_rows(self._section) if self._section.hub else read_rows(Path(self._section.path))
        head = list(islice(rows, HEAD))
        self._check_shape(head)
        for row in chain(head, rows):
            self.rows += 1
            try:
                yield from self._of(row)
            except (BadRow, UnicodeEncodeError) as error:
                self._skip(row, error)

    def _of(self, row: Row) -> Iterator[Example | Document]:
        """What one row holds. Raises BadRow, and UnicodeEncodeError for half a character."""
        if row.problem:
            raise BadRow(row.problem)
        for item in shapes.examples_of(row.values, self._section.columns, self.origin, self._section.groups):
            if item is None:
                self.unanswerable += 1
            else:
                yield replace(item, origin=self.origin) if isinstance(item, Example) else item

    def _check_shape(self, head: list[Row]) -> None:
        """Refuse rows that cannot be understood before any is read."""
        keys = dict.fromkeys(key for row in head for key in row.values)
        if not keys:
            return
        if problem := shapes.problem_of(keys, self._section.columns):
            raise UserError(f"{self._where}: {problem}")
        if self._section.groups != "all" and "paragraphs" not in keys:
            raise UserError(f"{self._where}: groups: {self._section.groups} is for SQuAD files; take it out")

    def _skip(self, row: Row, error: ValueError) -> None:
        """Note a bad row; give up as soon as there are clearly too many."""
        self.bad += 1
        if self.bad <= MOST_NAMED:
            reason = "half a character (a lone surrogate)" if isinstance(error, UnicodeEncodeError) else error
            self.failed.append(f"{self.origin}:{row.number}: {reason}")
        if self.rows > HOPELESS_AFTER:
            self._check()

    def _check(self, none_good: bool = False) -> None:
        """Refuse a data set with too many bad rows."""
        if self.bad > max(FEW_BAD, self._section.max_bad * self.rows) or (self.bad and none_good):
            raise UserError(f"{self._where}: {self.bad} of {self.rows} rows are bad; the first is {self.failed[0]}")

    def _context(self, example: Example) -> Document:
        """An example's context as a document of its own, under the example's source."""
        title = example.source.split("#")[0].replace("_", " ")
        return Document.make(example.source, title, example.context, self.origin)
