"""Files of questions and answers or of conversations as examples; the shape is told by a row's keys.

| shape | keys |
|---|---|
| OpenAI messages | `messages`: a list of `{role, content}` |
| ShareGPT | `conversations`: a list of `{from, value}` |
| SQuAD v1, v2 | `data` of `paragraphs` of `qas`; or rows with `answers: {text: [...]}` |
| Alpaca | `instruction`, `input` (appended to the question), `output`; `instances` for several of them |
| question and answer | columns under one of the names in QUESTION and ANSWER, with CONTEXT if there is one |

The same rows give the same examples from CSV, TSV, JSON and JSONL, plain or gzipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ozfig import console, files
from ozfig.errors import UserError
from ozfig.gather import Gathered, SourceContext
from ozfig.gather.rows import BadRow, Row, cell, nested, read_rows
from ozfig.recipe import Dataset
from ozfig.types import Document, Example, Message

QUESTION = ("question", "questions", "q", "prompt", "instruction", "query", "problem", "input")
ANSWER = ("answer", "answers", "a", "completion", "response", "output", "reply", "reference")
CONTEXT = ("context", "passage", "contexts")
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
BAD_ROWS, BAD_SHARE = 10, 0.01


def gather(section: Dataset, context: SourceContext) -> Gathered:
    """The registry's source `dataset`.

    Raises UserError when the file cannot be read, its shape is not known, or more than 1 % of its rows
    (and more than ten) are bad.
    """
    path = Path(section.path)
    rows = list(read_rows(path))
    gathered = Gathered(looked_at=f"{len(rows)} rows of {path.name}")
    if any("paragraphs" in row.values for row in rows):
        try:
            squad = [one for row in rows for one in _squad(row.values, section.groups)]
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: begins like SQuAD, but a part is missing or misshapen: {error}") from None
        gathered.examples = [example for example in squad if example is not None]
        gathered.counts["unanswerable"] = len(squad) - len(gathered.examples)
    else:
        if section.groups != "all":
            raise UserError(f"{path}: groups: {section.groups} is for SQuAD files; take it out")
        gathered.examples = _examples(path, rows, section.columns, gathered.failed)
    gathered.examples = _chosen(gathered.examples, section)
    if section.documents_from == "context":
        gathered.documents = _contexts(gathered.examples, path.name)
    gathered.counts["bad_rows"] = len(gathered.failed)
    return gathered


def squad_half(title: str) -> str:
    """Which half of SQuAD an article is in: `first_half` when the first byte of its title's SHA-256 is even."""
    return "second_half" if hashlib.sha256(title.encode("utf-8")).digest()[0] % 2 else "first_half"


def _chosen(examples: list[Example], section: Dataset) -> list[Example]:
    """The part of a file that the recipe asks for: its top, or those whose content hashes come first."""
    examples = examples[: section.limit]
    return examples if section.sample is None else sorted(examples, key=lambda e: e.id)[: section.sample]


def _examples(path: Path, rows: list[Row], columns: Mapping[str, str], failed: list[str]) -> list[Example]:
    """The examples of a file's rows; bad ones go to `failed`. Raises UserError when they are too many."""
    if rows:
        _check_columns(path, rows[0].values, columns)
    examples: list[Example] = []
    for row in rows:
        try:
            examples += list(_from_row(row.values, columns, path.name))
        except BadRow as error:
            failed.append(f"{path.name}:{row.number}: {error}")
    if len(failed) > max(BAD_ROWS, BAD_SHARE * len(rows)) or (failed and not examples):
        raise UserError(f"{path}: {len(failed)} of {len(rows)} rows are bad; the first is {failed[0]}")
    if failed:
        console.warn(f"{path.name}: {len(failed)} rows left out, the first is {failed[0]}")
    return examples


def _check_columns(path: Path, row: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    """Refuse a file whose shape is not known, and columns that it lacks. Raises UserError."""
    seen = ", ".join(name for name in row if name) or "none"
    for role, name in columns.items():
        if role not in ("question", "answer", "context"):
            raise UserError(f"{path}: columns: {role}: unknown; known are question, answer and context")
        if _find(row, (name,)) is None:
            raise UserError(f"{path}: columns: no column {name!r}; it has: {seen}")
    shapes = {"messages", "conversations", "instances"}
    known = bool(shapes & {name.lower() for name in row})
    if not known and not all(columns.get(r) or _find(row, n) for r, n in (("question", QUESTION), ("answer", ANSWER))):
        raise UserError(
            f"{path}: which columns are question and answer? It has: {seen}; "
            "name them as columns: {question: ..., answer: ...}"
        )


def _from_row(row: Mapping[str, Any], columns: Mapping[str, str], file: str) -> Iterator[Example]:
    """The examples of one row. Raises BadRow."""
    turns = _find(row, ("messages", "conversations"))
    if turns and not columns:
        yield Example.make(_messages(nested(row[turns])), source=file, maker="dataset")
    elif (several := _find(row, ("instances",))) and not columns:
        instances = nested(row[several])
        if not isinstance(instances, list) or not all(isinstance(instance, dict) for instance in instances):
            raise BadRow("the instances are not a list of objects")
        for instance in instances:
            yield _pair({**instance, "instruction": _value(row, "instruction") or ""}, columns, file)
    else:
        yield _pair(row, columns, file)


def _pair(row: Mapping[str, Any], columns: Mapping[str, str], file: str) -> Example:
    """A question with its answer, further answers and context. Raises BadRow."""
    asked = columns.get("question") or _find(row, QUESTION)
    answered = columns.get("answer") or _find(row, ANSWER)
    shown = columns.get("context") or _find(row, CONTEXT)
    question = cell(_value(row, asked))
    # Alpaca's input is what the instruction is about
    if asked and asked.lower() == "instruction" and "question" not in columns:
        question = "\n\n".join(filter(None, [question, cell(_value(row, "input"))]))
    answers = _answers(_value(row, answered)) + _answers(_value(row, "answers"))
    if not question:
        raise BadRow("no question")
    if not answers:
        raise BadRow("no answer")
    context, system = cell(_value(row, shown)), cell(_value(row, "system"))
    named = cell(_value(row, "source")) or cell(_value(row, "title"))
    return Example.make(
        [*([Message("system", system)] if system else []), Message("user", question), Message("assistant", answers[0])],
        context=context,
        answers=[a for a in dict.fromkeys(answers) if a != answers[0]],
        source=named or (f"{file}#{files.sha256_text(context)[:8]}" if context else file),
        maker="dataset",
    )


def _answers(value: Any) -> list[str]:
    """The answers of a cell: text, a list of texts, or SQuAD's `{text: [...]}`."""
    if isinstance(value, dict):
        value = value.get("text", [])
    found = [cell(v.get("text") if isinstance(v, dict) else v) for v in (value if isinstance(value, list) else [value])]
    return [text for text in found if text]


def _messages(turns: Any) -> list[Message]:
    """The turns of a conversation up to the last of the assistant's. Raises BadRow."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise BadRow("the conversation is not a list of turns")
    messages = []
    for turn in turns:
        name = str(turn.get("role") or turn.get("from") or "").lower()
        if name not in ROLES:
            raise BadRow(f"unknown role {name!r}")
        content = turn.get("content") if "content" in turn else turn.get("value")
        if isinstance(content, list):  # parts, as in OpenAI's newer form
            content = "\n".join(str(p.get("text", "")) for p in content if isinstance(p, dict) and "text" in p)
        messages.append(Message(ROLES[name], cell(content)))  # type: ignore[arg-type]
    while messages and messages[-1].role != "assistant":
        messages.pop()
    if not any(m.role == "user" for m in messages):
        raise BadRow("no question before the last answer" if messages else "no turn of the assistant's")
    if not all(m.content for m in messages):
        raise BadRow("an empty turn")
    return messages


def _squad(article: Mapping[str, Any], groups: str) -> Iterator[Example | None]:
    """The questions of one SQuAD article; None for each that its passage does not answer."""
    title = str(article.get("title") or "")
    if groups != "all" and squad_half(title) != groups:
        return
    for paragraph in article["paragraphs"]:
        context = paragraph["context"].strip()
        for qa in paragraph["qas"]:
            answers = [] if qa.get("is_impossible") else list(dict.fromkeys(_answers(qa.get("answers"))))
            if not answers:
                yield None
                continue
            fields = {"context": context, "answers": answers[1:], "source": title, "maker": "dataset"}
            yield Example.pair(qa["question"].strip(), answers[0], **fields)


def _contexts(examples: Iterable[Example], source: str) -> list[Document]:
    """Each distinct context as a document of its own, under its example's source."""
    found = {}
    for example in examples:
        if example.context:
            title = example.source.split("#")[0].replace("_", " ")
            document = Document.make(example.source, title, example.context, source)
            found[document.id] = document
    return list(found.values())


def _find(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The row's own spelling of the first of these names that it has."""
    spelled = {key.strip().lower(): key for key in row}
    return next((spelled[name.lower()] for name in names if name.lower() in spelled), None)


def _value(row: Mapping[str, Any], name: str | None) -> Any:
    """A row's value under a name in any case; None without one."""
    key = _find(row, (name,)) if name else None
    return row[key] if key is not None else None
