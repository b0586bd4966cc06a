"""What a row of a data set means, told by its keys: no registry to edit, and CSV reads like JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ozfig.types import Document, Example, Message

QUESTION = ["question", "questions", "query", "prompt", "instruction", "q"]
ANSWER = ["answer", "answers", "response", "completion", "output", "reference", "a"]
CONTEXT = ["context", "passage"]
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


class BadRow(ValueError):
    """A row that is none of the known shapes, or lacks a part."""


def read_row(row: Any, columns: dict[str, str]) -> list[Example]:
    """The examples of a row. Known shapes: OpenAI messages, ShareGPT, SQuAD rows, Self-Instruct, Alpaca,
    prompt and completion, question and answer; `columns` names other columns. Raises BadRow.
    """
    if not isinstance(row, dict):
        raise BadRow("not an object")
    row = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    if "messages" in row and not columns:
        return [_conversation(row["messages"], "role", "content")]
    if "conversations" in row and not columns:
        return [_conversation(row["conversations"], "from", "value")]
    if "instances" in row and "instruction" in row:
        return [_pair(row["instruction"], each.get("input"), each.get("output")) for each in row["instances"]]
    return [_columns(row, columns)]


def _conversation(turns: Any, role: str, content: str) -> Example:
    if not isinstance(turns, list) or not turns:
        raise BadRow("an empty conversation")
    messages = []
    for turn in turns:
        if not isinstance(turn, dict) or ROLES.get(str(turn.get(role))) is None or not _text(turn.get(content)):
            raise BadRow(f"a turn needs {role} and {content}")
        messages.append(Message(ROLES[turn[role]], _text(turn[content])))  # type: ignore[arg-type]
    if messages[-1].role != "assistant" or not any(m.role == "user" for m in messages):
        raise BadRow("a conversation needs a question and ends with the assistant's answer")
    return Example.make(messages, maker="dataset")


def _columns(row: dict[str, Any], columns: dict[str, str]) -> Example:
    """A pair from named or customary columns; of a list of answers the first is the reference."""
    question = _pick(row, columns.get("question"), QUESTION)
    answer = _pick(row, columns.get("answer"), ANSWER)
    answers = _answers(answer)
    if not answers:
        raise BadRow("no answer")
    made = _pair(question, row.get("input") if "instruction" in row else None, answers[0])
    context = _text(_pick(row, columns.get("context"), CONTEXT, optional=True))
    system = _text(row.get("system"))
    messages = [*([Message("system", system)] if system else []), *made.messages]
    source = _text(row.get("source") or row.get("title"))
    return Example.make(messages, context=context, answers=answers[1:], source=source, maker="dataset")


def _pick(row: dict[str, Any], named: str | None, customary: list[str], optional: bool = False) -> Any:
    if named:
        if named.strip().lower() not in row:
            raise BadRow(f"no column {named!r}; it has {', '.join(sorted(row))}")
        return row[named.strip().lower()]
    found = next((name for name in customary if name in row), None)
    if found is None and not optional:
        raise BadRow(f"no column for the {customary[0]}; it has {', '.join(sorted(row))}: name it in columns")
    return row[found] if found else None


def _answers(value: Any) -> list[str]:
    """Accepted answers: a text, a list of texts, or SQuAD's {text: [...]}."""
    if isinstance(value, dict):
        value = value.get("text", [])
    texts = [_text(v) for v in value] if isinstance(value, list) else [_text(value)]
    return list(dict.fromkeys(text for text in texts if text))


def _pair(question: Any, more: Any, answer: Any) -> Example:
    asked, answered = _text(question), _text(answer)
    if not asked or not answered:
        raise BadRow("an empty question" if not asked else "an empty answer")
    return Example.pair(f"{asked}\n{_text(more)}" if _text(more) else asked, answered, maker="dataset")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def squad(data: Any, groups: str) -> Iterator[Example]:
    """The answerable questions of a SQuAD v1 or v2 file, each with its paragraph and every distinct answer."""
    for article in data["data"]:
        title = article.get("title", "")
        if groups != "all" and squad_half(title) != groups:
            continue
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = _answers([answer["text"] for answer in asked["answers"]])
                if answers and not asked.get("is_impossible"):
                    yield Example.pair(
                        asked["question"].strip(),
                        answers[0],
                        context=paragraph["context"].strip(),
                        answers=answers[1:],
                        source=title,
                        maker="squad",
                    )


def squad_half(title: str) -> str:
    """first_half or second_half: by the last bit of the first byte of the title's SHA-256."""
    return "second_half" if hashlib.sha256(title.encode()).digest()[0] % 2 else "first_half"


def contexts(examples: list[Example]) -> list[Document]:
    """Each distinct context as a document of its own."""
    seen = {e.context: e for e in examples if e.context}
    return [
        Document.make(f"{e.source or 'context'}/{i}", e.source or "context", text, source="dataset")
        for i, (text, e) in enumerate(sorted(seen.items()))
    ]
