"""Text of strangers as quoted data: numbered, fenced, and unable to speak with another voice.

What a page could use to leave its place is taken apart before a model reads it: the markers by which chat templates
part the turns (`<|im_start|>`, `<s>`, `[INST]`; servers read them as tokens wherever they stand), our own fence, lines
that begin as a role's turn, numbers that look like citations, and letters that nobody sees.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

OPEN, CLOSE = "<sources>", "</sources>"
TITLE_LENGTH = 120
# full-width signs, which some tokenizers read as the plain ones
WIDE = {ord(wide): plain for wide, plain in zip("＜＞｜［］＃：﹤﹥", "<>|[]#:<>", strict=True)}
# every marker and tag begins so; "a < b", "->" and "<=" do not
TAG = re.compile(r"<(?=\w|\s*[/|!?<▁])")
BRACKETED = re.compile(r"\[(\s*/?\s*(?:[A-Z][A-Z_ ]{2,30}|\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*)\]")
ROLE = re.compile(
    r"^(\W*)(system|developer|user|human|assistant|ai|bot|model|tool|instructions?|input|response|question|answer"
    r"|(?:system|user) (?:prompt|message))(\W{0,3}):",
    re.IGNORECASE | re.MULTILINE,
)
TURN = re.compile(
    r"^(\s*)#+(\s*(?:system|user|human|assistant|instructions?|input|response)\b)", re.IGNORECASE | re.MULTILINE
)
GAPS = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Source:
    """A passage that a model is shown. `text` is as it was found; `shown` is what the model reads."""

    number: int
    title: str
    url: str
    text: str
    kind: Literal["web", "document"]

    @property
    def shown(self) -> str:
        """The numbered passage, harmless."""
        title = " ".join(harmless(self.title).split())[:TITLE_LENGTH]
        return f"[{self.number}] {title}\n{harmless(self.text)}"

    def row(self) -> dict[str, Any]:
        """The source as the store and the API write it."""
        return {
            "number": self.number,
            "title": self.title,
            "url": self.url,
            "text": self.text,
            "kind": self.kind,
        }


def harmless(text: str) -> str:
    """The text without what could pass for a marker, a fence, a turn or a citation; words stay as they are."""
    text = "".join(
        c for c in text.replace("\r\n", "\n").translate(WIDE) if c in "\n\t" or unicodedata.category(c)[0] != "C"
    )
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    text = BRACKETED.sub(r"(\1)", TAG.sub("‹", text))
    text = TURN.sub(r"\1\2", ROLE.sub(r"\1\2\3 -", text))
    return GAPS.sub("\n\n", text).strip()


def fenced(sources: Sequence[Source]) -> str:
    """All sources between our marks, which none of them can write."""
    return "\n".join([OPEN, "\n\n".join(source.shown for source in sources), CLOSE])
