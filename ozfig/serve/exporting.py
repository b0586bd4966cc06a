"""A conversation as a file."""

from __future__ import annotations

import json
import re
from typing import Any

from ozfig.serve.turns import rounds
from ozfig.store.models import Base, Conversation, Message


def as_markdown(chat: Conversation) -> str:
    """What was asked and answered, with its sources, as it is read."""
    parts = [f"# {chat.title}"]
    for one in rounds(chat.messages):
        parts.append(f"## {' '.join(one.question.content.split())[:200]}")
        if one.question.content.strip().count("\n") or len(one.question.content) > 200:
            parts.append("\n".join(f"> {line}".rstrip() for line in one.question.content.strip().splitlines()))
        parts += [_answer(answer, named=len(one.answers) > 1) for answer in one.answers]
    return "\n\n".join(parts) + "\n"


def _answer(answer: Message, named: bool) -> str:
    parts = [f"### {answer.model}"] if named else []
    parts.append(answer.content.strip() or "*(empty)*")
    if answer.status == "interrupted":
        parts.append("*(interrupted)*")
    if answer.sources:
        rows = [
            f"{s.get('number', i)}. {s.get('title', '')} {s.get('url', '')}" for i, s in enumerate(answer.sources, 1)
        ]
        parts.append("Sources:\n\n" + "\n".join(row.rstrip() for row in rows))
    if answer.feedback and answer.feedback.correction:
        parts.append(f"Corrected:\n\n{answer.feedback.correction.strip()}")
    return "\n\n".join(parts)


def as_json(chat: Conversation) -> str:
    """Everything that is stored, answers that were written again included."""
    messages = [{**_columns(m), "feedback": _columns(m.feedback) if m.feedback else None} for m in chat.messages]
    return json.dumps({**_columns(chat), "messages": messages}, ensure_ascii=False, indent=2, default=str) + "\n"


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def file_name(title: str) -> str:
    """A title as a name that every file system takes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:60].strip("-") or "conversation"
