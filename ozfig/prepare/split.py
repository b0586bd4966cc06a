"""Questions that are kept for measuring: from a file, or a share split off by question or by document."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ozfig import console, files
from ozfig.errors import UserError
from ozfig.recipe import HeldOut
from ozfig.retrieval import chunk
from ozfig.types import Document, Example


def split_off(examples: Sequence[Example], section: HeldOut, seed: int) -> tuple[list[Example], list[Example]]:
    """Training and held-out side. The choice depends on each unit's own hash and the seed, never on the order.

    Units are questions (all examples that ask the same go together) or documents (an example's source, else
    its passage, else its question). At most `limit` examples are held out; with unit "document" what is over
    the limit is left out of both sides.
    """
    units: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        units[_unit(example, section.unit)].append(example)
    order = sorted(units, key=lambda unit: files.sha256_text(f"{seed} {unit}"))
    held: list[Example] = []
    chosen: set[str] = set()
    wanted = max(1, round(section.share * len(order)))
    limit = section.limit or len(examples)
    for unit in order[:wanted]:
        if len(held) >= limit or len(chosen) == len(order) - 1:
            break
        chosen.add(unit)
        held += sorted(units[unit], key=lambda e: files.sha256_text(f"{seed} {e.id}"))
    train = [example for unit in order if unit not in chosen for example in units[unit]]
    return train, held[:limit]


def _unit(example: Example, kind: str) -> str:
    question = " ".join(example.question.lower().split())
    return (example.source or example.context or question) if kind == "document" else question


def from_file(path: Path, documents: Sequence[Document], limit: int | None) -> list[Example]:
    """Held-out questions of a JSONL, JSON or CSV file with the fields question and answer.

    Optional: answers (more accepted ones), context (the passage), or document (the end of a uri) with
    evidence (a quotation), from which the passage is looked up. Raises UserError with the row's number.
    """
    found, lost = [], 0
    for number, row in enumerate(_rows(path), 1):
        for field in ("question", "answer"):
            if not str(row.get(field) or "").strip():
                raise UserError(f"{path}:{number}: a held-out question needs the field {field!r}")
        context = row.get("context") or _look_up(row, documents)
        lost += not context and bool(row.get("document"))
        answers = row.get("answers") or []
        more = [str(a) for a in (answers if isinstance(answers, list) else [answers])]
        source = str(row.get("document") or "")
        pair = (str(row["question"]).strip(), str(row["answer"]).strip())
        found.append(Example.pair(*pair, context=context or "", answers=more, source=source, maker="held_out"))
    if lost:
        console.warn(f"{path.name}: no passage found for {lost} of {len(found)} questions; they are asked closed-book only")
    return found[:limit]


def _look_up(row: dict[str, Any], documents: Sequence[Document]) -> str:
    """The passage that holds a row's evidence, else the answer, in the document that it names."""
    name = str(row.get("document") or "")
    pages = [d for d in documents if name and d.uri.rstrip("/").endswith(name.rstrip("/"))]
    candidates = [passage for page in pages for passage in chunk.passages(page)]
    found = chunk.find_passage(candidates, str(row.get("evidence") or row["answer"]))
    return found.with_title() if found else ""


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines)
    elif path.suffix == ".json":
        rows = files.read_json(path)
        if not isinstance(rows, list):
            raise UserError(f"{path}: a list of questions is expected")
        yield from rows
    else:
        for row in files.read_jsonl(path):
            if not isinstance(row, dict):
                raise UserError(f"{path}: each line is an object with question and answer, not {json.dumps(row)[:40]}")
            yield row
