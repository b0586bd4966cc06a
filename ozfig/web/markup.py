"""Questions and answers that a page marks up for search engines (https://schema.org/FAQPage, QAPage, Question)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import text

QUESTIONS = "[itemtype*='schema.org/Question']"
MOST = 500
LONGEST_ANSWER = 20_000
TAG = re.compile(r"<[^<>]+>")


def questions(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """Each question, as plain text, with its answer, as HTML: of JSON-LD, then of microdata.

    JSON-LD that is broken says nothing.
    """
    found: dict[str, str] = {}
    for script in tree.css("script[type='application/ld+json']"):
        try:
            value = json.loads(script.text(deep=True), strict=False)
        except (ValueError, RecursionError):
            continue
        for one in _questions(value):
            found.setdefault(_plain(one.get("name") or one.get("text")), _answer(one))
    for node in tree.css(QUESTIONS):
        answer = _microdata_answer(node)
        if answer is not None:
            found.setdefault(text(node.css_first("[itemprop=name]")), answer.html or "")
    return [(q, a) for q, a in found.items() if q and text_of(a) and len(a) < LONGEST_ANSWER][:MOST]


def _questions(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of type Question, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting = [*one, *waiting]
        elif isinstance(one, dict):
            kinds = one.get("@type")
            if "Question" in (kinds if isinstance(kinds, list) else [kinds]):
                yield one
            else:
                waiting = [*one.values(), *waiting]


def _answer(question: dict[str, Any]) -> str:
    """The accepted answer, else the first suggested one."""
    for key in ("acceptedAnswer", "suggestedAnswer"):
        given = question.get(key)
        first = given[0] if isinstance(given, list) and given else given
        words = first.get("text") if isinstance(first, dict) else first
        if isinstance(words, str) and words.strip():
            return html.unescape(words) if "&lt;" in words else words
    return ""


def _microdata_answer(question: LexborNode) -> LexborNode | None:
    box = question.css_first("[itemprop=acceptedAnswer], [itemprop=suggestedAnswer]")
    return (box.css_first("[itemprop=text]") or box) if box is not None else None


def _plain(value: Any) -> str:
    return text_of(value) if isinstance(value, str) else ""


def text_of(markup: str) -> str:
    """The words of a piece of HTML."""
    return " ".join(html.unescape(TAG.sub(" ", markup)).split())


def is_said(words: str, letters: str) -> bool:
    """Whether the letters of a page's visible text (see `letters_of`) hold these words."""
    return letters_of(words)[:400] in letters


def letters_of(words: str) -> str:
    """Letters and digits alone, in lower case: what is left whatever marks a text carries."""
    return "".join(re.findall(r"[^\W_]+", words.lower()))
