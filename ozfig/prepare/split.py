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
    evidence (a quotation), from which the passage is looked up. Raises UserError with the line's number
    (in a JSON list, the row's).
    """
    rows = list(_rows(path))
    found, lost = [], 0
    for number, row in rows[:limit]:
        example = _held_out(row, f"{path}:{number}", documents)
        found.append(example)
        lost += bool(row.get("document")) and not example.context
    if lost:
        asked = f"no passage found for {lost} of {len(found)} questions"
        console.warn(f"{path.name}: {asked}; they are asked closed-book only")
    if len(rows) > len(found):
        console.warn(f"{path.name}: the first {len(found)} of {len(rows)} questions are used (prepare.held_out.limit)")
    return found


def _held_out(row: Any, place: str, documents: Sequence[Document]) -> Example:
    """One row as an example. Raises UserError that names the place."""
    if not isinstance(row, dict):
        raise UserError(f"{place}: an object with question and answer is expected, not {json.dumps(row)[:40]}")
    for field in ("question", "answer"):
        if not str(row.get(field) or "").strip():
            raise UserError(f"{place}: a held-out question needs the field {field!r}")
    answers = row.get("answers") or []
    more = [str(a) for a in (answers if isinstance(answers, list) else [answers])]
    page, passage = _look_up(row, documents)
    return Example.pair(
        str(row["question"]).strip(),
        str(row["answer"]).strip(),
        context=str(row.get("context") or passage),
        answers=more,
        source=page or str(row.get("document") or ""),
        maker="held_out",
    )


def _look_up(row: dict[str, Any], documents: Sequence[Document]) -> tuple[str, str]:
    """The uri of the document that a row names, and its passage that holds the evidence, else the answer."""
    name = str(row.get("document") or "").rstrip("/")
    for page in documents:
        if name and page.uri.rstrip("/").endswith(name):
            found = chunk.find_passage(chunk.passages(page), str(row.get("evidence") or row["answer"]))
            if found:
                return page.uri, found.with_title()
    return "", ""


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number (in a JSON list, row number) and value of each row."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            for row in reader:
                yield reader.line_num, row
    elif path.suffix == ".json":
        rows = files.read_json(path)
        if not isinstance(rows, list):
            raise UserError(f"{path}: a list of questions is expected")
        yield from enumerate(rows, 1)
    else:
        values = list(files.read_jsonl(path))
        text = path.read_text(encoding="utf-8").split("\n")
        yield from zip((n for n, line in enumerate(text, 1) if line.strip()), values, strict=True)
