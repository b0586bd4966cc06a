"""Whether an answer can be one to its question: times for when, quantities for how many."""

from __future__ import annotations

import re

from ozfig.prepare.teach.stems import NUMBER_WORDS

_MONTHS = (
    "january february march april may june july august september october november december jan feb sept oct nov dec"
)
_DAYS = "monday tuesday wednesday thursday friday saturday sunday weekdays? weekends?"
_PERIODS = (
    "spring summer autumn fall winter easter christmas century centuries decades? years? months? weeks? days? hours? "
    "minutes? seconds? morning noon afternoon evening night midnight dawn dusk sunrise sunset time era period ages? "
    "season"
)
_RELATIVE = (
    "today tomorrow yesterday now before after during until till when while once since always never daily weekly "
    "monthly annually yearly early late later end beginning start recently currently immediately first last next soon "
    "upon if"
)
_QUANTITIES = (
    "half quarters? dozens? hundreds? thousands? millions? billions? trillions? all none no few several many most "
    "some both each every any couple pair single double triple only an? nothing free majority less more much little "
    "unlimited large small moderate"
)
_FILLING = (
    "in on by from around about circa the early late mid approximately over nearly almost of to and through between "
    "ad bc bce ce st nd rd th s percent per cent km miles feet metres meters kg"
)
_NUMBERS = "|".join(NUMBER_WORDS)


def _any(*lists: str) -> str:
    return "|".join("|".join(words.split()) for words in lists)


TIME = re.compile(rf"\d|\b(?:{_any(_MONTHS, _DAYS, _PERIODS, _RELATIVE)}|{_NUMBERS})\b", re.IGNORECASE)
QUANTITY = re.compile(rf"\d|\b(?:{_any(_QUANTITIES)}|{_NUMBERS})\b", re.IGNORECASE)
# nothing but a date or a number
BARE = re.compile(
    rf"^\W*(?:(?:{_any(_MONTHS, _DAYS, _PERIODS, _FILLING)}|{_NUMBERS}|\d+)(?![^\W\d_])\W*)+$", re.IGNORECASE
)
_AUXILIARY = "did|was|were|is|are|do|does|will|can|could|may|must|should|would|has|have|had"
ASKS_WHEN = re.compile(
    rf"(?:^|[,:] )when (?:{_AUXILIARY})\b|\b(?:what|which) (?:year|date|month|day|century|decade)\b", re.I
)
ASKS_QUANTITY = re.compile(
    r"\bhow (?:many|much|old|tall|large|big|wide|deep|high|fast)\b(?! the\b)|\bwhat percent(?:age)?\b", re.I
)
ASKS_OTHER = re.compile(r"(?:^|[,:] )(?:who|whom|whose|why|where)\b", re.IGNORECASE)


def mismatch(question: str, answer: str) -> bool:
    """Whether an answer is of another kind than what its question asks for."""
    if ASKS_QUANTITY.search(question):
        return not QUANTITY.search(answer)
    if ASKS_WHEN.search(question):
        return not TIME.search(answer)
    return bool(ASKS_OTHER.search(question) and BARE.match(answer))
