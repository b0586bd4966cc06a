"""A teacher's replies: kept on disk as they come, and read leniently."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ozfig import console, files
from ozfig.engines.openai import Reply

# a list, or an object, that holds objects
OPENING = re.compile(r"\[\s*(?=[\[{\]])|\{\s*(?=[\"}])")
THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)
NEXT_OBJECT = re.compile(r"[\s,]*(?=\{)")
DECODER = json.JSONDecoder(strict=False)


def _filled(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


# not as min_length: servers refuse schemas that they cannot enforce
Filled = Annotated[str, AfterValidator(_filled)]


class TaughtPair(BaseModel):
    """One pair as a teacher writes it."""

    model_config = ConfigDict(
        str_strip_whitespace=True, coerce_numbers_to_str=True, json_schema_extra={"additionalProperties": False}
    )

    question: Filled = Field(validation_alias=AliasChoices("question", "Question", "q", "Q"))
    answer: Filled = Field(validation_alias=AliasChoices("answer", "Answer", "a", "A"))


class TaughtPairs(BaseModel):
    """The form of a reply: its JSON schema is what a server is asked to keep to."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    pairs: list[TaughtPair]


PAIR: TypeAdapter[TaughtPair] = TypeAdapter(TaughtPair)


class Broken(ValueError):
    """A reply that holds no pair; the text says why, for the teacher to read."""


def read_pairs(text: str) -> tuple[list[TaughtPair], int]:
    """The pairs of a reply, and how many of its rows are none; an empty list says that there is nothing to ask.

    Code fences, words around the JSON, one object instead of a list, a list under another name and a list that
    was cut off are understood. Raises Broken when no pair can be read.
    """
    rows = _rows(THOUGHTS.sub("", text))
    if rows is None:
        raise Broken("there is no JSON in it")
    good, problem = list[TaughtPair](), ""
    for row in rows:
        try:
            good.append(PAIR.validate_python(row))
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(str(p) for p in first['loc']) or 'a row'}: {first['msg']}"
    if problem and not good:
        raise Broken(problem)
    return good, len(rows) - len(good)


def _rows(text: str) -> list[Any] | None:
    """The rows of the first JSON value that holds any; none of an empty one, None where there is no value."""
    empty = False
    for opening in OPENING.finditer(text):
        try:
            value, _ = DECODER.raw_decode(text, opening.start())
        except ValueError:
            rows = list(_whole_objects(text[opening.start() + 1 :])) if opening[0][0] == "[" else []
        else:
            rows, empty = _held(value), True
        if rows:
            return rows
    return [] if empty else None


def _held(value: Any) -> list[Any]:
    """The rows of a JSON value: a list's, those of an object's list of objects, or the object itself."""
    if not isinstance(value, dict):
        return value if isinstance(value, list) else []
    lists = [v for v in value.values() if isinstance(v, list) and all(isinstance(row, dict) for row in v)]
    return max(lists, key=len, default=[value] if value else [])


def _whole_objects(text: str) -> Iterator[Any]:
    """The objects before the place where a list breaks off."""
    at = 0
    while opening := NEXT_OBJECT.match(text, at):
        try:
            value, at = DECODER.raw_decode(text, opening.end())
        except ValueError:
            return
        yield value


class Replies:
    """Every reply that was ever paid for, by the hash of what was asked: a JSONL file that only grows.

    A line that a killed process left unfinished is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._known = path, dict[str, Reply]()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            files.write_bytes(path, whole)
        lost = 0
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                key = row.pop("key")
                self._known[key] = Reply.from_row(row)
            except (ValueError, TypeError, AttributeError, KeyError):
                lost += 1
        if lost:
            console.warn(f"{path}: {console.counted(lost, 'line')} not readable; what was there is asked again")

    def get(self, key: str) -> Reply | None:
        """The reply to what hashes to `key`, if it was ever given."""
        return self._known.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""
        self._known[key] = reply
        files.append_line(self._path, {"key": key, **reply.to_row()})
