"""Files that are written whole or not at all, JSON lines, and hashes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ozfig.errors import UserError


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that takes its place when the block ends well, so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole(path) as out:
        out.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def dump(value: Any) -> str:
    """JSON in one canonical form: sorted keys, no escapes; the same value gives the same text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys."""
    write_text(path, json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises UserError when it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one canonical JSON object a line, as the rows come, whole or not at all."""
    with whole(path) as out:
        out.writelines(f"{dump(row)}\n".encode() for row in rows)


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file. Raises UserError with the line number of a broken row."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: not valid JSON: {error}") from None


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Append one JSON line: for logs, where the last line may be lost but no earlier one is touched."""
    with path.open("a", encoding="utf-8") as out:
        out.write(dump(row) + "\n")


def is_url(place: str) -> bool:
    """Whether a place is written as an address of the web, not as a path."""
    return place.startswith(("https://", "http://"))


def sha256_text(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sha256_value(value: Any) -> str:
    """Hex SHA-256 of a JSON value in canonical form."""
    return sha256_text(dump(value))


def sha256_path(path: Path) -> str:
    """Hex SHA-256 of a file, or of a folder: of its sorted relative names with their files' hashes."""
    if path.is_dir():
        names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        return sha256_value({name: sha256_path(path / name) for name in names})
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
