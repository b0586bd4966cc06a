"""What a row means: its shape is told by its keys.

| shape | keys |
|---|---|
| OpenAI messages | `messages`: a list of `{role, content}` |
| ShareGPT | `conversations`: a list of `{from, value}` |
| SQuAD v1, v2 | `paragraphs` of `qas`; or rows with `answers: {text: [...]}` |
| Alpaca | `instruction`, `input` (appended to the question), `output`; `instances` for several of them |
| question and answer | columns under one of the names in QUESTION and ANSWER, with CONTEXT if there is one |
| plain text | `text`, with `title` if there is one: a document, not a pair |

The same rows give the same examples from every format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ozfig import files
from ozfig.formats.rows import BadRow, cell, nested
from ozfig.types import Document, Example, Message

QUESTION = ("question", "questions", "q", "prompt", "instruction", "query", "problem", "input")
ANSWER = (
    "answer",
    "answers",
    "a",
    "completion",
    "response",
    "output",
    "reply",
    "target",
    "reference",
    "correct_answer",
)
CONTEXT = ("context", "passage", "contexts", "support")
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
PARTS = ("question", "answer", "context", "system", "messages", "text")
TURNS = ("messages", "conversations")
MAKER = "dataset"


def problem_of(names: Iterable[str], columns: Mapping[str, str]) -> str:
    """Why rows with these keys are of no known shape, or lack a named column; empty when all is well."""
    row = dict.fromkeys(names)
    seen = ", ".join(name for name in row if name) or "none"
    for part, name in columns.items():
        if part not in PARTS:
            return f"columns: {part}: unknown; known are {', '.join(PARTS)}"
        if _find(row, (name,)) is None:
            return f"columns: no column {name!r}; it has: {seen}"
    asks = columns.get("question") or _find(row, QUESTION)
    answers = columns.get("answer") or _find(row, ANSWER)
    shaped = _find(row, (*TURNS, "instances", "paragraphs", "text")) or {"messages", "text"} & set(columns)
    if shaped or (asks and answers):
        return ""
    mend = "name them as columns: {question: ..., answer: ...}"
    return f"which columns are question and answer? It has: {seen}; {mend}"


def examples_of(
    row: Mapping[str, Any], columns: Mapping[str, str], file: str, groups: str = "all"
) -> Iterator[Example | Document | None]:
    """What one row holds: examples, a document where it is plain text, None for a question without an answer in its
    passage. `file`, where it is given, names what has no source of its own. Raises BadRow."""
    if "paragraphs" in row:
        yield from _article(row, groups)
        return
    turns = columns.get("messages") or (_find(row, TURNS) if not columns else None)
    several = _find(row, ("instances",)) if not columns else None
    if turns:
        fields = {"source": file, "context": cell(_value(row, columns.get("context"))), "maker": MAKER}
        yield Example.make(_messages(nested(_value(row, turns))), **fields)
    elif several:
        instances = nested(row[several])
        if not isinstance(instances, list) or not all(isinstance(instance, dict) for instance in instances):
            raise BadRow("the instances are not a list of objects")
        for instance in instances:
            yield _pair({**instance, "instruction": _value(row, "instruction") or ""}, columns, file)
    elif text := _text_column(row, columns):
        yield _document(row, text, file)
    else:
        yield _pair(row, columns, file)


def _text_column(row: Mapping[str, Any], columns: Mapping[str, str]) -> str | None:
    """The column of a row that holds nothing but a text."""
    if "question" in columns or (_find(row, QUESTION) and _find(row, ANSWER)):
        return None
    return columns.get("text") or _find(row, ("text",))


def _document(row: Mapping[str, Any], column: str, file: str) -> Document:
    """A row of plain text. Raises BadRow."""
    text, title = cell(_value(row, column)), cell(_value(row, "title"))
    if not text:
        raise BadRow("no text")
    uri = cell(_value(row, "url")) or cell(_value(row, "source")) or title or f"{file}#{files.sha256_text(text)[:8]}"
    return Document.make(uri, title or file, text, file)


def _pair(row: Mapping[str, Any], columns: Mapping[str, str], file: str) -> Example | None:
    """A question with its answer, further answers and context; None where SQuAD lists no answer. Raises BadRow."""
    asked = columns.get("question") or _find(row, QUESTION)
    answered = columns.get("answer") or _find(row, ANSWER)
    context = cell(_value(row, columns.get("context") or _find(row, CONTEXT)))
    question = _value(row, asked)
    listed = _listed(_value(row, "answers"))
    answers = [*(_texts(_value(row, answered)) if answered != _find(row, ("answers",)) else []), *_texts(listed)]
    named = cell(_value(row, "source")) or cell(_value(row, "title"))
    fields = {
        "context": context,
        "source": named or (f"{file}#{files.sha256_text(context)[:8]}" if file and context else file),
        "maker": MAKER,
    }
    if isinstance(question, list):  # prompt and completion, each a list of turns
        return Example.make(_messages([*question, *nested(_value(row, answered) or [])]), **fields)
    # Alpaca's input is what the instruction is about
    about = cell(_value(row, "input")) if asked and asked.lower() == "instruction" and "question" not in columns else ""
    question = "\n\n".join(filter(None, [cell(question), about]))
    if not question:
        raise BadRow("no question")
    if not answers:
        if isinstance(listed, dict):
            return None
        raise BadRow("no answer")
    system = cell(_value(row, columns.get("system") or "system"))
    return Example.make(
        [*([Message("system", system)] if system else []), Message("user", question), Message("assistant", answers[0])],
        answers=[a for a in dict.fromkeys(answers) if a != answers[0]],
        **fields,
    )


def _listed(value: Any) -> Any:
    """What stands under `answers`: a list or SQuAD's object also where a table's cell holds it as JSON."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with suppress(BadRow):
            return nested(value)
    return value


def _texts(value: Any) -> list[str]:
    """The answers that a value holds: a text, a list of texts, or SQuAD's `{text: [...]}`."""
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


def _article(article: Mapping[str, Any], groups: str) -> Iterator[Example | None]:
    """The questions of one SQuAD article; None for each that its passage does not answer. Raises BadRow."""
    title = str(article.get("title") or "")
    if groups != "all" and squad_half(title) != groups:
        return
    try:
        asked = [(p["context"].strip(), qa["question"].strip(), qa) for p in article["paragraphs"] for qa in p["qas"]]
        for context, question, qa in asked:
            answers = [] if qa.get("is_impossible") else list(dict.fromkeys(_texts(qa.get("answers"))))
            fields = {"context": context, "answers": answers[1:], "source": title, "maker": MAKER}
            yield Example.pair(question, answers[0], **fields) if answers else None
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRow(f"begins like SQuAD, but a part is missing or misshapen: {error}") from None


def squad_half(title: str) -> str:
    """Which half of SQuAD an article is in: `first_half` when the first byte of its title's SHA-256 is even."""
    return "second_half" if hashlib.sha256(title.encode("utf-8")).digest()[0] % 2 else "first_half"


def _find(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The row's own spelling of the first of these names that it has."""
    spelled = {key.strip().lower(): key for key in row}
    wanted = (name.strip().lower() for name in names)
    return next((spelled[name] for name in wanted if name in spelled), None)


def _value(row: Mapping[str, Any], name: str | None) -> Any:
    """A row's value under a name in any case; None without one."""
    key = _find(row, (name,)) if name else None
    return row[key] if key is not None else None
