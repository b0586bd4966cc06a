"""How pieces of a page become part of a sentence: plain text, short answers, articles, the reader's point of view."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ozfig import files
from ozfig.retrieval import chunk
from ozfig.retrieval.chunk import Section
from ozfig.types import Document

ANSWER_WORDS = 60
# a full stop ends a sentence unless it follows a short form or a single letter
SENTENCE_END = re.compile(
    r"(?<!\bNo)(?<!\bMr)(?<!\bDr)(?<!\bMrs)(?<!\bSt)(?<!\be\.g)(?<!\bi\.e)(?<!\b[A-Z])[.!?](?=\s|$)"
)
CALENDAR = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|august|september|october"
    r"|november|december|easter|christmas",
    re.IGNORECASE,
)
# what follows a whole noun: no word, a small one, or a verb or plural in s; else it may be part of a longer noun
NOT_PART = r"(?! (?!(?:of|for|in|on|at|to|from|by|with|and|or|that|who|can|may|must|will)\b|\w+s\b)[a-z])"
OBJECT = r"(?<=\bfor )|(?<=\bto )|(?<=\bwith )|(?<=\babout )|(?<=\bfrom )|(?<=\bof )"
SWAPPED = {"we": "you", "us": "you", "our": "your", "ours": "yours", "your": "my", "yours": "mine", "you": "I"}


def prose(block: str) -> str:
    """A Markdown block as plain text: list items become a line each, quotes and code fences lose their marks."""
    lines = [line for line in block.splitlines() if not chunk.FENCE.match(line)]
    return "\n".join(chunk.plain(re.sub(r"^\s*(?:[-*+]|\d+[.)]|>)\s+", "", line)) for line in lines).strip()


def shorten(text: str, limit: int = ANSWER_WORDS) -> str:
    """The first sentences of a text within `limit` words; one long sentence is kept whole up to twice that."""
    text = " ".join(ended(line) for line in text.split("\n") if line.strip())
    if len(text.split()) <= limit:
        return text
    kept = ""
    for end in SENTENCE_END.finditer(text):
        if kept and len(text[: end.end()].split()) > limit:
            break
        kept = text[: end.end()]
    return kept if kept and len(kept.split()) <= 2 * limit else " ".join(text.split()[:limit])


def ended(line: str) -> str:
    """A line as a sentence: list items often have no full stop."""
    line = line.strip()
    return line if line[-1:] in tuple('.!?:;,…"”') else f"{line}."


def capital(text: str) -> str:
    """A text with a large first letter."""
    return text[:1].upper() + text[1:]


def inside(text: str, document: Document) -> str:
    """A heading or cell as it stands inside a sentence: its first letter is small unless it begins a name.

    A name has a capital second word, more capitals or digits in its first, is a day or month, or is written
    large elsewhere in the middle of a sentence.
    """
    first, _, rest = text.partition(" ")
    if first in {"The", "A", "An"}:
        return first.lower() + text[len(first) :]
    named = rest[:1].isupper() or not first[1:].islower() or CALENDAR.fullmatch(first.strip(","))
    if named or re.search(rf"\b[a-z]+[,;]? {re.escape(first)}\b", document.text):
        return text
    return first.lower() + text[len(first) :]


def with_article(term: str, document: Document, first: str = "") -> str:
    """A term with the article that the text `first`, else the document, puts before it; its spelling is kept."""
    bare = inside(term, document)
    if bare != term and re.match(r"(?:the|an?) ", bare):
        return bare
    if (
        bare == term
        and term[:1].isupper()
        and len(re.findall(rf"\b[Tt]he {re.escape(term)}\b", document.text)) * 2 < document.text.count(term)
    ):
        return term  # a name that mostly stands without one
    for text in (first, document.text):
        found = re.search(rf"\b(an?|the) ({re.escape(term)})(?![\w-]){NOT_PART}", text, re.IGNORECASE)
        if found:
            return f"{found[1].lower()} {found[2]}"
    return bare


def swapped(text: str) -> str:
    """The company's words in the reader's mouth: "how we work" becomes "how you work", "your" becomes "my"."""
    text = re.sub(rf"(?:{OBJECT})you\b", "me", text)
    return re.sub(r"\b(we|us|ours?|yours?|you)\b", lambda m: SWAPPED[m[1].lower()], text, flags=re.IGNORECASE)


def worded(wordings: Sequence[str], content: str) -> str:
    """One of several wordings, by the content's hash: variety over the pairs, and one question for each fact."""
    return wordings[int(files.sha256_text(content)[:8], 16) % len(wordings)]


def page_name(document: Document, part: Section) -> str:
    """What a page is about: its outermost heading, else its title."""
    return part.path[0] if part.path else document.title
