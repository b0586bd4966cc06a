"""Checked citations: a number in brackets stays only when there is a source of that number.

A number in code (`list[0]`) is no citation. Whether the cited source says what the sentence does is judged by the
words that they share, which finds a wrong number and not a twisted fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ozfig.retrieval.chunk import SENTENCE
from ozfig.retrieval.words import terms

NUMBERS = r"\d{1,3}(?:[ ]?[,;–-][ ]?\d{1,3}){0,9}"
CITED = re.compile(rf"(?P<ticks>`+)|(?P<gap>[ ]?)\[(?P<numbers>{NUMBERS})\]")
# what may yet become a citation or a longer run of backticks
UNFINISHED = re.compile(r"(?:[ ]|[ ]?\[(?:\d[\d ,;–-]{0,40})?|`+)$")
PART = re.compile(r"(\d+)(?:[ ]?[–-][ ]?(\d+))?")
SAID = 0.5  # share of a sentence's words that its source has to hold


class Citations:
    """A filter for a text that comes in pieces: takes numbers without a source out of it.

    The beginning of a citation is held back until it is known how it goes on.
    """

    def __init__(self, known: int) -> None:
        """`known` sources there are, numbered from 1."""
        self._known, self._held, self._ticks = known, "", 0

    def feed(self, piece: str) -> str:
        """What of the text so far is certain and new."""
        text = self._held + piece
        unfinished = UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return self._checked(text[:end])

    def close(self) -> str:
        """The rest, when nothing follows."""
        text, self._held = self._held, ""
        return self._checked(text)

    def _checked(self, text: str) -> str:
        return CITED.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        if found["ticks"]:
            self._in_or_out(len(found["ticks"]))
            return found[0]
        if self._ticks:
            return found[0]
        kept = [n for n in _numbers(found["numbers"]) if 1 <= n <= self._known]
        return found["gap"] + "".join(f"[{n}]" for n in kept) if kept else ""

    def _in_or_out(self, ticks: int) -> None:
        """Code ends with as many backticks as it began with (CommonMark 6.1); more of them end a fence."""
        if not self._ticks:
            self._ticks = ticks
        elif ticks == self._ticks or ticks > self._ticks >= 3:
            self._ticks = 0


def checked(text: str, known: int) -> str:
    """A whole text without the numbers that have no source."""
    citations = Citations(known)
    return citations.feed(text) + citations.close()


def _numbers(text: str) -> list[int]:
    """Numbers and ranges such as "1, 3-5", each once, in order."""
    found = [(int(a), int(b or a)) for a, b in PART.findall(text)]
    return list(dict.fromkeys(n for first, last in found for n in range(first, min(last, first + 20) + 1)))


def marked(text: str, sources: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The sources with `cited` and, where they are, `supported`; and a note on each that says something else.

    `text` has been checked. A source that was cited twice is supported when one of the sentences is its own.
    """
    claims: dict[int, list[str]] = {}
    for sentence in _claims(text):
        for found in CITED.finditer(sentence):
            for number in _numbers(found["numbers"] or ""):
                claims.setdefault(number, []).append(sentence)
    rows, notes = [], []
    for source in sources:
        said = claims.get(source["number"], [])
        row = {**source, "cited": bool(said)}
        if said:
            row["supported"] = any(_is_said(claim, f"{source['title']}\n{source['text']}") for claim in said)
            if not row["supported"]:
                notes.append(f"[{source['number']}] is cited for something that it does not seem to say")
        rows.append(row)
    return rows, notes


def _claims(text: str) -> list[str]:
    """Sentences with their citations, also those that follow the full stop; code left out."""
    prose = re.sub(r"(`+).+?\1", " ", text, flags=re.DOTALL)
    return SENTENCE.split(re.sub(r"([.!?])((?:[ ]?\[\d{1,3}\])+)", r"\2\1", prose))


def _is_said(claim: str, source: str) -> bool:
    words = set(terms(CITED.sub(" ", claim)))
    return not words or len(words & set(terms(source))) >= SAID * len(words)
