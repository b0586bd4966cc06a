"""Cleaning filters that look at one row at a time: language, boilerplate, encoding, refusals, quotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ozfig.errors import UserError
from ozfig.overlap.words import STOP_WORDS, normalised, stem, words
from ozfig.prepare import Context, Verdict
from ozfig.prepare.phrases import BOILERPLATE, FILLERS, REFUSAL
from ozfig.recipe import BoilerplateFilter, EncodingFilter, LanguageFilter, QuotingFilter, RefusalFilter
from ozfig.types import Example, Message

SURE = 0.95  # the probability from which a text is in another language; code and lists of names stay below it
LONGEST_NOTICE = 600  # characters of an answer that is made of phrases
OWNER_WORDS = 5  # of a notice that names whose rights are reserved
EDGE = 3  # words at the beginning and the end of an answer
ASKS = re.compile(r"\?$|^(?:tell (?:me|us)|explain|describe|state)\b", re.IGNORECASE)
# choices, counts, and texts that are brought along
NO_QUOTATION = re.compile(r"\bor\b|\bhow (?:many|much)\b|[:\n]|[.?!]\s", re.IGNORECASE)
FEWEST_QUOTED = 3  # content words of an answer that can be a quotation; shorter ones are names and choices
# control characters but for tab, line feed, carriage return and form feed; halves of characters; U+FFFD
BROKEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd\ufffe\uffff]")


def language(rows: Sequence[Example], section: LanguageFilter, context: Context) -> Iterator[Verdict]:
    """Drop rows that are surely in no language of `section.keep`. Raises UserError for an unknown code."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    unknown = set(section.keep) - set(identifier.labels)
    if unknown:
        raise UserError(
            f"prepare.clean: language: {sorted(unknown)[0]!r} is no known ISO 639-1 code; known: "
            + ", ".join(sorted(identifier.labels))
        )
    for i, row in enumerate(rows):
        text = f"{row.question}\n{row.answer}"
        if len(text.split()) >= section.min_words:
            # zxx is what is no language: code, numbers
            code, probability = identifier.classify(text)
            if code not in (*section.keep, "zxx") and probability >= SURE:
                yield Verdict(i, f"language: {code}", score=round(float(probability), 3))


def boilerplate(rows: Sequence[Example], section: BoilerplateFilter, context: Context) -> Iterator[Verdict]:
    """Drop rows whose answer is nothing but phrases such as "click here" and "all rights reserved"."""
    own = [normalised(phrase) for phrase in section.phrases]
    every = sorted({*BOILERPLATE, *filter(None, own)}, key=lambda phrase: (-len(phrase), phrase))
    phrase = re.compile(rf"(?<!\S)({'|'.join(map(re.escape, every))})(?!\S)")
    for i, row in enumerate(rows):
        answer = normalised(row.answer[:LONGEST_NOTICE])
        found = phrase.findall(answer) if len(row.answer) <= LONGEST_NOTICE or answer.startswith("lorem ipsum") else []
        if not found:
            continue
        left = [w for w in phrase.sub(" ", answer).split() if w not in FILLERS and not w.isdecimal()]
        notice = "all rights reserved" in found or answer.startswith("copyright ")
        if not left or answer.startswith("lorem ipsum") or (notice and len(left) <= OWNER_WORDS):
            yield Verdict(i, "boilerplate", neighbour=found[0])


def encoding(rows: Sequence[Example], section: EncodingFilter, context: Context) -> Iterator[Verdict]:
    """Mend texts that were decoded wrongly ("CafÃ©"), drop those that lost characters."""
    for i, row in enumerate(rows):
        mended = rewritten(row, _mended)
        if any(BROKEN.search(text) for text in _texts(mended)):
            yield Verdict(i, "encoding: broken")
        elif mended is not row and section.action == "drop":
            yield Verdict(i, "encoding: garbled")
        elif mended is not row:
            yield Verdict(i, "encoding: mended", "replace", replacement=mended)


def _mended(text: str) -> str:
    if text.isascii():
        return text
    import ftfy

    mended: str = ftfy.fix_encoding(text)
    return mended.lstrip("\ufeff")


def refusal(rows: Sequence[Example], section: RefusalFilter, context: Context) -> Iterator[Verdict]:
    """Drop rows whose answer begins with a model's refusal or with what it is."""
    for i, row in enumerate(rows):
        if found := REFUSAL.match(row.answer.replace("’", "'")):
            yield Verdict(i, "refusal", neighbour=" ".join(found[0].split()))


def quoting(rows: Sequence[Example], section: QuotingFilter, context: Context) -> Iterator[Verdict]:
    """Drop rows of a question that holds the content words of its answer: nothing is left to be learned.

    Only one sentence that asks is looked at: tasks that bring their text along and questions that offer a
    choice or count something hold their answer rightly.
    """
    for i, row in enumerate(rows):
        question = row.question.strip()
        if ASKS.search(question) and not NO_QUOTATION.search(question):
            share = _quoted(words(question), words(row.answer))
            if share >= section.share:
                yield Verdict(i, "quotes its answer", score=round(share, 3))


def _quoted(question: list[str], answer: list[str]) -> float:
    """The share of an answer's content words that its question holds; 0 where the rest is what was asked for.

    What was asked for comes first or last ("... is hedonism"), perhaps as a word that is there already ("is the").
    """
    content = [word for word in answer if word not in STOP_WORDS]
    asked = Counter(stem(word) for word in question)
    new = Counter(stem(word) for word in content) - asked
    ends = {stem(word) for word in (*answer[:EDGE], *answer[-EDGE:])}
    repeated = Counter(answer)[answer[-1]] > Counter(question)[answer[-1]] if answer else True
    if len(content) < FEWEST_QUOTED or repeated or ends & set(new):
        return 0.0
    return 1 - new.total() / len(content)


def rewritten(row: Example, change: Callable[[str], str]) -> Example:
    """The row with all its texts changed, under its own id, by which people drop and edit it.

    The very same row when nothing changes.
    """
    messages = [Message(m.role, change(m.content)) for m in row.messages]
    lists: dict[str, Any] = {name: [change(text) for text in getattr(row, name)] for name in ("answers", "evidence")}
    context = change(row.context)
    if (messages, context, *lists.values()) == (row.messages, row.context, row.answers, row.evidence):
        return row
    return replace(row, messages=messages, context=context, **lists)


def _texts(row: Example) -> Iterator[str]:
    yield from (m.content for m in row.messages)
    yield row.context
    yield from row.answers
    yield from row.evidence
