"""A benchmark's items from a file, with the columns that its task reads.

Most files have them as they are. Three benchmarks are published in a form of their own: LogiQA's blocks of
lines, MC-TACO's table without a header, MMLU's questions as finished prompts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from ozfig.errors import UserError
from ozfig.formats.rows import opened, read_rows

Rows = list[dict[str, Any]]
LOGIQA_LINES = 7  # the right letter, context, question, four options; a blank line between
MC_TACO = ("sentence", "question", "answer", "label", "category")
_MMLU = re.compile(r"\n\n(.*)\nA\. (.*)\nB\. (.*)\nC\. (.*)\nD\. (.*)\nAnswer:\s*$", re.DOTALL)


def items(path: Path, task: str, config: dict[str, Any]) -> Rows:
    """The items of a task, whose `config` is lm-eval's; `path` is a file, or a folder that holds the task's own.

    Raises UserError when there is no such file, or nothing in it for this task.
    """
    path = _within(path, task, config) if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"evaluate.tasks: {task}: no such file: {path}")
    read = next((read for name, read in FORMS.items() if task == name or task.startswith(f"{name}_")), _columns)
    rows = read(path, config)
    if len(rows) < 2:
        raise UserError(f"{path}: {len(rows)} items for the task {task} are too few to measure anything")
    return rows


def _within(folder: Path, task: str, config: dict[str, Any]) -> Path:
    """The task's file in a folder: named as its data set's file is, or as the task.

    Raises UserError when none is, or several are.
    """
    named = _strings((config.get("dataset_kwargs") or {}).get("data_files"))
    wanted = {Path(name).name for name in named}
    found = sorted(p for p in folder.iterdir() if p.name in wanted or p.name.split(".")[0] == task)
    if len(found) != 1:
        names = " or ".join(sorted(wanted)) or f"{task}.jsonl"
        raise UserError(f"{folder}: {len(found)} files for the task {task}; name one {names}")
    return found[0]


def _strings(value: Any) -> list[str]:
    """Every text in a value of lists and objects."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _strings(part)]


def _columns(path: Path, config: dict[str, Any]) -> Rows:
    """A data file's rows as they are. Raises UserError for one that cannot be read."""
    rows = []
    for row in read_rows(path):
        if row.problem:
            raise UserError(f"{path}:{row.number}: {row.problem}")
        rows.append(row.values)
    return rows


def _logiqa(path: Path, config: dict[str, Any]) -> Rows:
    """LogiQA's text: the hub's copy has a blank after each full stop, and options without their letters."""
    if path.suffix != ".txt":
        return _columns(path, config)
    with opened(path) as text:
        lines = [line.strip() for line in text.read().splitlines() if line.strip()]
    if len(lines) % LOGIQA_LINES:
        raise UserError(f"{path}: not LogiQA's text: {len(lines)} lines do not make items of {LOGIQA_LINES}")
    rows, rest = [], iter(lines)
    while block := list(islice(rest, LOGIQA_LINES)):
        label, context, question, *options = block
        spaced = [text.replace(".", ". ").strip() for text in (context, question, *(o[2:] for o in options))]
        rows.append({"label": label, "context": spaced[0], "question": spaced[1], "options": spaced[2:]})
    return rows


def _mc_taco(path: Path, config: dict[str, Any]) -> Rows:
    """MC-TACO's table: no header, no quoting, its labels words."""
    if path.suffix != ".tsv":
        rows = _columns(path, config)
    else:
        with opened(path) as text:
            lines = csv.reader(text, "excel-tab", quoting=csv.QUOTE_NONE)
            rows = [dict(zip(MC_TACO, line, strict=False)) for line in lines]
    words = {"no": 0, "yes": 1}
    return [{**row, "label": words.get(str(row.get("label")), row.get("label"))} for row in rows]


def _mmlu(path: Path, config: dict[str, Any]) -> Rows:
    """MMLU's questions of one subject; from finished prompts, question and choices are taken out again."""
    subject = config.get("dataset_name")
    rows = [row for row in _columns(path, config) if row.get("subject", subject) == subject]
    return [_from_prompt(row) if "input" in row else row for row in rows]


def _from_prompt(row: dict[str, Any]) -> dict[str, Any]:
    found = _MMLU.search(row["input"])
    if found is None:
        raise UserError(f"not a question with choices A to D: {row['input'][:80]!r}")
    question, *choices = found.groups()
    return {"subject": row["subject"], "question": question, "choices": choices, "answer": "ABCD".index(row["output"])}


FORMS: dict[str, Callable[[Path, dict[str, Any]], Rows]] = {"logiqa": _logiqa, "mc_taco": _mc_taco, "mmlu": _mmlu}
