"""Rows of a data file as dictionaries, whatever the file's format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ozfig.errors import UserError

FORMATS = (".csv", ".tsv", ".json", ".jsonl")
# no field of a data set is longer, and the csv module's own limit is 131,072 characters
LONGEST_FIELD = 10_000_000


class BadRow(ValueError):
    """A row that cannot become an example; the message says why."""


@dataclass(frozen=True)
class Row:
    """One row and its place: the line for CSV and JSONL, the position for JSON, both from 1."""

    number: int
    values: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV, TSV, JSON or JSONL file, plain or gzipped. Raises UserError when it is not readable."""
    suffix = (
        "".join(path.suffixes[-2:]).lower().removesuffix(".gz") if path.suffix.lower() == ".gz" else path.suffix.lower()
    )
    suffix = "." + suffix.rsplit(".", 1)[-1]
    if suffix not in FORMATS:
        raise UserError(f"{path}: not a data set; known are {', '.join(FORMATS)}, each also with .gz")
    text = _text(path)
    if suffix in (".csv", ".tsv"):
        return _csv(path, text, "\t" if suffix == ".tsv" else _delimiter(text))
    return _jsonl(path, text) if suffix == ".jsonl" else _json(path, text)


def cell(value: Any) -> str:
    """A value as text, the same from JSON as from CSV, where everything is text."""
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).strip()


def nested(value: Any) -> Any:
    """A list or object, also where a CSV cell holds it as JSON. Raises BadRow."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise BadRow("not JSON where a list is expected") from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not readable: {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _delimiter(text: str) -> str:
    """Comma, or semicolon as spreadsheets in many countries write: whichever the header has more of."""
    header = text.split("\n", 1)[0]
    return ";" if header.count(";") > header.count(",") else ","


def _csv(path: Path, text: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="")
    try:
        for values in reader:
            yield Row(reader.line_num, {key: value for key, value in values.items() if key is not None})
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None


def _jsonl(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number}: not valid JSON: {error}") from None
            yield Row(number, _object(path, number, values))


def _json(path: Path, text: str) -> Iterator[Row]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    if isinstance(value, dict):
        lists = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise UserError(f"{path}: a list of rows is expected, or an object that holds one such list")
    for number, row in enumerate(value, 1):
        yield Row(number, _object(path, number, row))


def _object(path: Path, number: int, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path}:{number}: each row is an object with named values, not {json.dumps(value)[:40]}")
    return value
