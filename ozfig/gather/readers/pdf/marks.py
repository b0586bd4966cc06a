"""The marks that list items begin with: bullets, dashes and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BULLET = re.compile(r"(?:[•◦▪■□●○‣⁃∙·►➢➤✓✔❖\uf0b7\uf0a7\uf076\uf0d8]|\(cid:\d+\))\s*(?=\S)")
DASH = re.compile(r"[-–—*]\s+(?=\S)")
NUMBER = re.compile(r"\(?(\d{1,3}|[a-zA-Z]|[ivx]{2,4})[.)]\s+(?=\S)")
FIRST = ("1", "a", "A", "i")
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
ENDED = re.compile(r"[.!?:;…][\"'”’)\]]*$")


@dataclass(frozen=True)
class Mark:
    """A mark at the beginning of a line: how it is written in Markdown, and where the text behind it begins."""

    text: str
    end: int
    is_number: bool = False


def found(text: str, goes_on: bool, before: Sequence[str]) -> Mark | None:
    """The mark that a line begins with. `goes_on` tells that the line looks like the middle of a block: there a
    dash or number is part of the text, unless it goes on with the list whose items' marks are `before`."""
    if bullet := BULLET.match(text):
        return Mark("-", bullet.end())
    if dash := DASH.match(text):
        return Mark("-", dash.end()) if not goes_on or before[-1:] == ["-"] else None
    if number := NUMBER.match(text):
        name = number[1]
        follows = any(_follows(mark.strip("- .)"), name) for mark in before)
        if follows or (not goes_on and name in FIRST):
            # Markdown numbers its items with digits only
            return Mark(f"{name}." if name.isdigit() else f"- {name})", number.end(), is_number=True)
    return None


def _follows(before: str, name: str) -> bool:
    """Whether a number or letter is the next after another."""
    if before.isdigit() or name.isdigit():
        return before.isdigit() and name.isdigit() and int(name) == int(before) + 1
    if (before, name) in pairwise(ROMAN):
        return True
    return len(before) == len(name) == 1 and ord(name) == ord(before) + 1
