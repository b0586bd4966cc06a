"""Rows of a data file as dictionaries, whatever the file's format, a few of them in memory at a time."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ozfig.errors import MissingExtra, UserError
from ozfig.formats.stream import JsonStream, NotRows

# no field of a data set is longer, and the csv module's own limit is 131,072 characters
LONGEST_FIELD = 10_000_000
BATCH = 1000  # rows of a Parquet file that are in memory


class BadRow(ValueError):
    """A row that cannot become an example; the message says why."""


@dataclass(frozen=True)
class Row:
    """One row and its place: the line for CSV and JSONL, the position otherwise, both from 1.

    `problem` says why a row could not be read at all; then it has no values.
    """

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV, TSV, JSON or JSONL file, plain or gzipped, or of a Parquet file.

    Raises UserError when the file is not there, is of no known kind or cannot be read on after a broken place.
    """
    names = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = names[-1] if names else ""
    if kind == ".parquet":
        return _parquet(path)
    if kind not in READERS:
        known = ", ".join(READERS)
        raise UserError(f"{path}: not a data set; known are {known}, each also with .gz, and .parquet")
    return _text_rows(path, READERS[kind])


def cell(value: Any) -> str:
    """A value as text, the same from JSON as from CSV, where everything is text."""
    if value is None:
        return ""
    # dates and other types of Parquet that JSON lacks are written as Python shows them
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).strip()


def nested(value: Any) -> Any:
    """A list or object, also where a CSV cell holds it as JSON. Raises BadRow."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadRow("not JSON where a list is expected") from None


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """A text file, plain or gzipped, line ends as they are. Raises UserError when it is missing or not UTF-8."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            data: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            yield io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        if path.suffix.lower() == ".gz" and not packed:
            raise UserError(f"{path}: not gzip, though its name says so") from None
        byte = error.object[error.start]
        raise UserError(f"{path}: not UTF-8 (byte 0x{byte:02x}: {error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: not readable: {error}") from None


def _text_rows(path: Path, read: Callable[[Path, IO[str]], Iterator[Row]]) -> Iterator[Row]:
    """A text file's rows; one that was cut off while it was packed gives those before the cut."""
    number = 0
    with opened(path) as text:
        try:
            for row in read(path, text):
                number = row.number
                yield row
        except (EOFError, zlib.error):
            yield Row(number + 1, problem="the file is cut off here")


def _csv(path: Path, text: IO[str], delimiter: str = "") -> Iterator[Row]:
    csv.field_size_limit(LONGEST_FIELD)
    header = text.readline()
    text.seek(0)
    # semicolons are what spreadsheets in many countries write
    delimiter = delimiter or (";" if header.count(";") > header.count(",") else ",")
    reader = csv.DictReader(text, delimiter=delimiter, restkey="")
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(reader.line_num, problem=f"not valid CSV: {error}")
        else:
            yield Row(reader.line_num, {key: value for key, value in values.items() if key is not None})


def _tsv(path: Path, text: IO[str]) -> Iterator[Row]:
    return _csv(path, text, "\t")


def _jsonl(path: Path, text: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        if line.strip():
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(number, problem=f"not valid JSON: {error}")
            else:
                yield _object(number, values)


def _json(path: Path, text: IO[str]) -> Iterator[Row]:
    number = 0
    try:
        for number, values in enumerate(JsonStream(text).rows(), 1):
            yield _object(number, values)
    except NotRows as error:
        after = f" after row {number}" if number else ""
        raise UserError(f"{path}: {error}{after}") from None


def _object(number: int, values: Any) -> Row:
    if not isinstance(values, dict):
        return Row(number, problem=f"an object is expected, not {json.dumps(values)[:40]}")
    return Row(number, values)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtra("reading Parquet", "hub") from None
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            rows = (row for batch in table.iter_batches(BATCH) for row in batch.to_pylist())
            for number, values in enumerate(rows, 1):
                yield Row(number, values)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a whole Parquet file: {str(error).splitlines()[0]}") from None


READERS: dict[str, Callable[[Path, IO[str]], Iterator[Row]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _jsonl,
}
