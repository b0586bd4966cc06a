"""What a text is searched by: its words, without those that every text has, plurals as singulars."""

from __future__ import annotations

import re

# a sign of Chinese or Japanese is a word of its own: nothing there parts words
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
STOP_WORDS = frozenset(
    WORD.findall(
        """a about an and any are as at be been but by can could did do does for from had has have how i if in is it its
        may me my no not of on or our shall should so such that the their them then there these they this to was we were
        what when where which who whom whose why will with would you your"""
    )
)


def terms(text: str) -> list[str]:
    """The words of a text that it is found by, in order; all of its words when there are no others."""
    found = WORD.findall(text.lower())
    kept = [_singular(word) for word in found if word not in STOP_WORDS]
    return kept or found


def _singular(word: str) -> str:
    """A plural without its ending: prices and price, boxes and box, berries and berry are one word."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]
