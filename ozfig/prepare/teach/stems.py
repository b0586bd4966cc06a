"""Sentences, and the words of a text as they are compared with another: light English stems, numbers as digits."""

from __future__ import annotations

import re

from ozfig.overlap.words import STOP_WORDS
from ozfig.retrieval import chunk

TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)?|[$£€%]")
# after a full stop with what closes a quotation, where a large letter or digit follows; and at every line's end
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d\"“'‘(])|(?<=[.!?][\"”’)])\s+|\n+")
ABBREVIATED = re.compile(r"(?:\b(?:No|Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|ca?|e\.g|i\.e|[A-Z]))\.$")
MARKS = re.compile(r"^\s*(?:[-*+>|]|#+|\d+[.)]\s|: )\s*")
_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
NUMBER_WORDS = {
    **{word: str(i) for i, word in enumerate(_COUNTED.split())},
    **{word: str(10 * i) for i, word in enumerate(_TENS.split(), 2)},
    **{word: str(i) for i, word in enumerate(_ORDINALS.split(), 1)},
    **{"once": "1", "twice": "2", "dozen": "12"},
    **{"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000"},
}
SIGNS = {"$": "dollar", "£": "pound", "€": "euro", "%": "percent"}
PERCENT = re.compile(r"\bper cent\b", re.IGNORECASE)
COMPOUND = re.compile(
    rf"\b({'|'.join(_TENS.split())})[- ]({'|'.join(_COUNTED.split()[1:10])})\b", re.IGNORECASE
)  # ninety-five
# number words that mostly count nothing
LOOSE = {"one", "once", "first", "second", "third"}
# the first that fits is taken off
SUFFIXES = {"ational": "ate", "ization": "ize", "ities": "ity", "ies": "y"} | {
    **dict.fromkeys(("ations", "ation", "ings", "ing", "edly", "ed", "ers", "er", "ements", "ement"), ""),
    **dict.fromkeys(("ments", "ment", "ions", "ion", "es", "ly", "s"), ""),
}
SAYS_NOTHING = {"yes", "no"} | STOP_WORDS


def sentences(text: str) -> list[str]:
    """The sentences of a text; list items, table rows and headings are some of their own."""
    found: list[str] = []
    for piece in SENTENCE_END.split(text):
        plain = chunk.plain(MARKS.sub("", piece)).replace(" | ", ", ").strip("| ")
        if found and ABBREVIATED.search(found[-1]):
            found[-1] += f" {plain}"
        elif any(c.isalnum() for c in plain):
            found.append(plain)
    return found


def stem(word: str) -> str:
    """A word without the ending that its grammar gives it; a number in digits, a sign as its word."""
    word = re.sub(r"['’]s$|['’]$", "", word.lower())
    if word[0].isdigit():
        return word.replace(",", "").rstrip(".")
    word = SIGNS.get(word, word)
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    for suffix, instead in SUFFIXES.items():
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word.rstrip("e") if len(word) > 3 else word


def tokens(text: str) -> list[str]:
    """Words, numbers and signs of a text, in order; ninety-five is 95."""
    text = COMPOUND.sub(lambda m: str(int(stem(m[1])) + int(stem(m[2]))), PERCENT.sub("percent", text))
    return TOKEN.findall(text)


def stems(text: str, everything: bool = False) -> list[str]:
    """The stems of a text's content words, or of all its words, in order."""
    return [stem(word) for word in tokens(text) if everything or word.lower() not in SAYS_NOTHING]


def numbers(text: str) -> dict[str, str]:
    """The numbers that a text states, in digits, with how they are written."""
    found = (word for word in tokens(text) if word[0].isdigit() or word.lower() in NUMBER_WORDS.keys() - LOOSE)
    return {stem(word): word for word in found}


def names(sentence: str) -> dict[str, str]:
    """The stems of the words that are written large within a sentence, with how they are written."""
    within = [re.split("['’]", word)[0] for word in tokens(sentence)][1:]
    return {stem(word): word for word in within if word[0].isupper() and word.lower() not in SAYS_NOTHING}
