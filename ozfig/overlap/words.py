"""Words of a text: what duplicates, leaks and questions are compared by."""

from __future__ import annotations

import re

WORD = re.compile(r"\w+")
NUMBER = re.compile(r"\d+")
# question words, auxiliaries, pronouns and prepositions, and the verbs that only ask to be told something
STOP_WORDS = frozenset(
    WORD.findall(
        """a about an and any are as at be been being by can could did do does explain for from get give had has have
        how i if in is it its know list listed may me mean much my of on or our please say should so tell than that the
        their them then there these they this those to under was we were what when where which who whom why will with
        would you your"""
    )
)


def words(text: str) -> list[str]:
    """Lower-case words and numbers of a text, in order."""
    return WORD.findall(text.lower())


def normalised(text: str) -> str:
    """Lower-case words, single spaces, no signs: what two copies of a text share."""
    return " ".join(words(text))


def numbers(text: str) -> list[str]:
    """The numbers of a text, sorted: texts with other numbers tell other facts."""
    return sorted(NUMBER.findall(text))


def stem(word: str) -> str:
    """A word without a plural's s."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def content_words(text: str) -> frozenset[str]:
    """The words that say what a question is about, without a plural's s; all its words when there are no others."""
    found = words(text)
    return frozenset(map(stem, [word for word in found if word not in STOP_WORDS] or found))


def grams(text: str, size: int) -> list[str]:
    """Every run of `size` words of a text."""
    found = words(text)
    return [" ".join(found[i : i + size]) for i in range(len(found) - size + 1)]
