"""The words that people and templates wrap a request in; they say nothing of what is asked.

Please answer the following question as well as you can: [who runs the yard?] Thank you!
"""

from __future__ import annotations

from ozfig.overlap.words import WORD, words

# an envelope is a run of these words at either end of a text ...
FILLERS = frozenset(
    WORD.findall(
        """a above accurate accurately all also an and another any appropriate appropriately are as ask
        asked asking at attempt based be best briefly but by can carefully clear clearly come complete
        completes concise concisely consider context correct correctly could d describes detail detailed do
        early easy everybody everyone examine find following for friend friendly from full further gave get
        give given going good got great had has have here how i if in instruct into is it just know
        knowledge let like ll look m me more much my need next now of on one only or our own paired possible
        properly provide provides quick quickly re read really s see sentence sentences short shortly should
        simple simply so some something step steps stuck sure text that the their them then there these
        thing things think this those to today try us ve very want we well will with wonder wondering word
        words would write you your"""
    )
)
# ... from or up to one of these, so that a text that only begins with "the" or "a" is left as it is
SIGNALS = frozenset(
    WORD.findall(
        """advance answer answering answers appreciate appreciated assist assistant below cheers dear following
        greetings hello help hey hi human input inquiry instruction instructions kindly output please pls problem
        prompt query question questions reply request respond response sincerely solve task tell thank thanks user"""
    )
)
FEWEST = 3  # words that must be left
LONGEST_LINE = 60  # characters of a line that may be envelope from end to end: "### Response:"


def unwrapped(text: str) -> list[str]:
    """The words of a text without the envelope around it and without lines of nothing else within it."""
    lines = text.split("\n")
    if len(lines) > 1:
        text = "\n".join(line for line in lines if len(line) > LONGEST_LINE or not _is_envelope(words(line))) or text
    return core(words(text))


def _is_envelope(found: list[str]) -> bool:
    return bool(found) and _run(found) == len(found)


def core(found: list[str]) -> list[str]:
    """The words of a text without the envelope around them; all of them where little else would be left."""
    first = _run(found)
    last = len(found) - _run(found[: first - len(found) - 1 : -1])
    return found[first:last] if last - first >= FEWEST else found


def _run(found: list[str]) -> int:
    """How many words of an envelope a text begins with."""
    end = 0
    for i, word in enumerate(found, 1):
        if word in SIGNALS:
            end = i
        elif word not in FILLERS:
            break
    return end
