"""A benchmark's items as examples: question with choices, right answer. What may stand in training data."""

from __future__ import annotations

import string
from typing import Any

from ozfig.evaluate.tasks.table import Loaded
from ozfig.types import Example


def of(task: Loaded) -> list[Example]:
    """The items that were asked, without the solved examples before them."""
    docs = {request.doc_id: request.doc for request in task.requests}
    return [_item(task.task, doc) for _, doc in sorted(docs.items())]


def _item(task: Any, doc: Any) -> Example:
    """One item. A task may give a place among the choices as its text or target."""
    choices = [str(choice).strip() for choice in task.doc_to_choice(doc)] if task.config.doc_to_choice else []
    question, target = (_in_words(value, choices) for value in (task.doc_to_text(doc), task.doc_to_target(doc)))
    listed = [f"{letter}. {choice}" for letter, choice in zip(string.ascii_uppercase, choices, strict=False)]
    told = len(listed) > 1 and any(len(choice) > 1 for choice in choices)  # letters alone say nothing
    return Example.pair("\n".join([question, *(listed if told else [])]), target)


def _in_words(value: Any, choices: list[str]) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
        return choices[value]
    return str(value).strip()
