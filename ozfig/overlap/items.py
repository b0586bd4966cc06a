"""The parts of a benchmark's item that must not be trained on: question or stem, choices, context, answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ozfig.overlap.words import STOP_WORDS, WORD, words
from ozfig.retrieval.chunk import SENTENCE
from ozfig.types import Example

Kind = Literal["question", "stem", "choice", "context", "answer"]
KINDS: tuple[Kind, ...] = ("question", "stem", "choice", "context", "answer")
CHOICE = re.compile(r"^\s*[(\[]?([A-Ha-h]|\d)[).:\]]\s*(?=\S)")
PREAMBLE = re.compile(r"multiple[ -]choice|(choose|select) the (correct|best|right)", re.IGNORECASE)
TAIL = re.compile(r"^\s*(the )?(correct |best |right )?answer( is)?\s*:?\s*$", re.IGNORECASE)
# what many test questions have in common, whatever they ask
EXAM_WORDS = frozenset(WORD.findall("answer correct example false following happen happened next option true"))
PRONOUNS = frozenset(WORD.findall("he her him his it its she that their them these they this those"))
OFTEN = 4  # a question, choice or answer of more items than this asks nothing: "Which of these is true?"


@dataclass(frozen=True)
class Part:
    """A part of the item at `item`, as words."""

    item: int
    kind: Kind
    words: list[str]


def all_parts(items: Iterable[Example]) -> list[Part]:
    """The parts of all items, each once, without the empty ones and those that many items have."""
    first: dict[tuple[str, ...], Part] = {}
    owners: dict[tuple[str, ...], set[int]] = {}
    for i, item in enumerate(items):
        for part in _parts(i, item):
            if part.words:
                key = tuple(part.words)
                first.setdefault(key, part)
                owners.setdefault(key, set()).add(i)
    return [part for key, part in first.items() if part.kind == "context" or len(owners[key]) <= OFTEN]


def _parts(i: int, item: Example) -> Iterator[Part]:
    """The parts of one item; choices stand in its question, one a line, after a letter or number."""
    for message in item.messages:
        if message.role == "user":
            yield from _asked(i, message.content)
    yield from (Part(i, "context", words(sentence)) for sentence in SENTENCE.split(item.context))
    yield from (Part(i, "answer", words(answer)) for answer in item.references)


def _asked(i: int, text: str) -> Iterator[Part]:
    lines = [line for line in text.splitlines() if not (PREAMBLE.search(line) or TAIL.match(line))]
    choices = [line for line in lines if CHOICE.match(line)]
    yield Part(i, "question", words("\n".join(lines)))
    if len(choices) > 1:
        yield Part(i, "stem", words("\n".join(line for line in lines if not CHOICE.match(line))))
        yield from (Part(i, "choice", words(CHOICE.sub("", line))) for line in choices)


def stands_alone(part: Part) -> bool:
    """Whether a short part tells what it is about: "When was it built?" may be asked of anything."""
    telling = sum(map(says_something, part.words))
    return telling > 1 or (telling == 1 and PRONOUNS.isdisjoint(part.words))


def says_something(word: str) -> bool:
    """Whether a word is more than a number, a sign of a formula, a stop word or an exam's phrase."""
    return len(word) > 2 and word.isalpha() and word not in STOP_WORDS and word not in EXAM_WORDS
