"""A file of questions and answers or of conversations: CSV, TSV, JSON, JSONL, each also gzipped."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ozfig import console
from ozfig.errors import UserError
from ozfig.gather import Found, Visit
from ozfig.gather.shapes import BadRow, contexts, read_row, squad
from ozfig.recipe import Dataset
from ozfig.types import Example

BAD_ROWS, BAD_SHARE = 10, 0.01


def gather(source: Dataset, visit: Visit) -> Found:
    """Read a data set. Bad rows are reported and skipped; more than ten and 1 % of them are an error.

    Raises UserError with the file and line.
    """
    path = Path(source.path)
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    examples: list[Example] = []
    bad: dict[str, str] = {}
    for number, rows in _examples(path, source):
        if isinstance(rows, BadRow):
            bad[f"{path.name}:{number}"] = str(rows)
            if len(bad) > BAD_ROWS and len(bad) > BAD_SHARE * number:
                first, reason = next(iter(bad.items()))
                raise UserError(f"{path}: {len(bad)} of the first {number} rows cannot be read; {first}: {reason}")
            continue
        examples += rows
        if source.limit and len(examples) >= source.limit:
            break
    examples = examples[: source.limit]
    if source.sample:
        examples = sorted(examples, key=lambda example: example.id)[: source.sample]
    for place, reason in bad.items():
        console.warn(f"{place} is left out: {reason}")
    return Found(contexts(examples) if source.documents_from == "context" else [], examples, failed=bad)


def _examples(path: Path, source: Dataset) -> Iterator[tuple[int, list[Example] | BadRow]]:
    """Row number and examples, or what is wrong with the row."""
    kind = path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    with _open(path) as lines:
        if kind in {"csv", "tsv"}:
            reader = csv.DictReader(lines, delimiter="\t" if kind == "tsv" else ",")
            for row in reader:
                yield reader.line_num, _read(row, source)
        elif kind == "jsonl":
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _read_line(line, source)
        elif kind == "json":
            yield from _json(json_of(path, lines), path, source)
        else:
            raise UserError(f"{path}: a data set is CSV, TSV, JSON or JSONL, also gzipped")


def json_of(path: Path, lines: IO[str]) -> Any:
    """The value of a JSON file. Raises UserError with the place of the fault."""
    try:
        return json.load(lines)
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None


def _json(data: Any, path: Path, source: Dataset) -> Iterator[tuple[int, list[Example] | BadRow]]:
    """SQuAD's nested file, or a list of rows, bare or under one key."""
    if isinstance(data, dict) and isinstance(data.get("data"), list) and data["data"] and "paragraphs" in data["data"][0]:
        for number, example in enumerate(squad(data, source.groups), 1):
            yield number, [example]
        return
    rows = next((v for v in data.values() if isinstance(v, list)), None) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise UserError(f"{path}: a list of rows is expected")
    for number, row in enumerate(rows, 1):
        yield number, _read(row, source)


def _read_line(line: str, source: Dataset) -> list[Example] | BadRow:
    try:
        return _read(json.loads(line), source)
    except ValueError as error:
        return BadRow(f"not valid JSON: {error}")


def _read(row: Any, source: Dataset) -> list[Example] | BadRow:
    try:
        return read_row(row, source.columns)
    except BadRow as error:
        return error


def _open(path: Path) -> IO[str]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")  # type: ignore[return-value]
