"""Whether a passage supports an answer, and whether a question can be understood without the passage.

Neither needs a model: words are compared by their stems, numbers and names one by one, and the question's words
have to stand near the answer's. What that cannot see: a wrong answer made of the right sentence's own words
("A follows B" for "B follows A"), a "not" that was lost, and what follows from a text without standing in it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field

from ozfig.overlap.words import words
from ozfig.prepare.teach.answer_types import mismatch
from ozfig.prepare.teach.stems import SAYS_NOTHING, names, numbers, sentences, stems

SHORT = 2  # new words of an answer that all have to stand in one sentence
ENOUGH = 0.6  # share of a longer claim's new words
NEARBY = 0.5  # a word in the sentence before or after counts half
SPOKEN_OF = 0.4  # share of a question's words near one place, below which the passage words it too differently to tell
NEAR_QUESTION = 0.65  # of what the sentence that is nearest to the question holds of it
_AUXILIARY = r"(?:is|are|was|were|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had)"
_PRONOUN = r"(?:it|its|they|them|their|theirs|he|him|his|she|her|hers)"
_WITHIN = r"(?! (?:of|for|about|on|in|at|by|from|that|which|who|with|called|named|titled|entitled)\b)(?! (?-i:[A-Z])|-)"
# words for the page that the question was written from
TEXT = re.compile(
    r"\b(?:the|this|that) (?:(?:given|provided|following|above) )?"
    r"(?:text|passage|excerpt|paragraph|snippet|context|article|document|page|section|chapter|author|writer|speaker"
    rf"|narrator)s?\b{_WITHIN}",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"\b(?:mentioned|discussed|outlined)[?.!]*$"
    r"|\b(?:above|below|here)[?.!]*$",
    re.IGNORECASE,
)
THIS = re.compile(
    r"\b(?:this|these)\b(?! (?:year|month|week|season|morning|afternoon|evening|spring|summer|autumn|winter|time)\b)"
    r"|\b(?:at|in|of|for|on|from|by|with) that (?=\w+[?.!]*$)",
    re.IGNORECASE,
)
NAMELESS = re.compile(
    r"\bthe (?:company|organi[sz]ation|business|firm|institution|website|web site|site|person|individual|product|"
    rf"project|program|programme|event|tool|book|film|movie|song)\b{_WITHIN}",
    re.IGNORECASE,
)
# the subject of the question itself, or the object of a question word
SUBJECT = re.compile(
    rf"\b{_AUXILIARY}(?:n['’]t)? ({_PRONOUN}|those(?! who\b| \w+ing\b)|that(?= \w+[?.!]*$))\b"
    rf"|^(?:who|what|which \w+|when|where|why|how) (?:\w+ )?({_PRONOUN})\b",
    re.IGNORECASE,
)
ANY_PRONOUN = re.compile(rf"\b({_PRONOUN})\b(?!['’]s)", re.IGNORECASE)
# "how much does it cost to ...", "is it true that ...": an it that stands for what follows
EXPLETIVE = re.compile(r"\bit\b(?: \S+){0,4}? (?:to|that|if|when|for|before|until)\b \S+", re.IGNORECASE)
WEATHER = re.compile(r"\bit (?:gets? |is )?(?:rain|snow|freez|cold|warm|hot|dark|light|late)", re.IGNORECASE)
NAMES_NOTHING = SAYS_NOTHING | {"many", "some", "one", "ones", "thing", "things"}
QUESTION_WORD = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Grounding:
    """What a passage says to an answer.

    `evidence` are the passage's sentences that support it, `unsupported` the claims, numbers and names that are
    not in it, and `score` the lowest share (0 to 1) of a claim's new words that stand together.
    """

    supported: bool
    evidence: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    score: float = 1.0


class _Text:
    """A passage as sets of stems, one a sentence."""

    def __init__(self, passage: str) -> None:
        self.sentences = sentences(passage)
        self.stems = [frozenset(stems(sentence, everything=True)) for sentence in self.sentences]
        self.whole: frozenset[str] = frozenset().union(*self.stems)
        self._sentences_with = Counter(word for found in self.stems for word in found)

    def around(self, place: int) -> frozenset[str]:
        """The stems of the sentences before and after one."""
        return frozenset().union(*self.stems[max(0, place - 1) : place], *self.stems[place + 1 : place + 2])

    def nearness(self, words: Set[str], place: int) -> float:
        """How much of `words` a sentence holds, rare words counting more, and half of what its neighbours hold."""
        weights = {w: math.log(1 + len(self.stems) / (self._sentences_with[w] or 0.5)) for w in sorted(words)}
        here, beside = self.stems[place], self.around(place)
        held = sum(v if w in here else v * NEARBY * (w in beside) for w, v in weights.items())
        return held / sum(weights.values()) if weights else 1.0


def check(answer: str, passage: str, question: str = "") -> Grounding:
    """Whether `passage` says what `answer` does, and says it where it speaks of what `question` asks."""
    text, asked = _Text(passage), frozenset(stems(question))
    said = sentences(answer)
    claims = [claim for claim in said if stems(claim)] or said  # "Yes." before a sentence claims nothing
    if not text.sentences or not claims:
        return Grounding(False, unsupported=[answer], score=0.0)
    places, unsupported, lowest = set[int](), list[str](), 1.0
    for claim in claims:
        known = text.whole | asked
        facts = {**numbers(claim), **names(claim)}
        missing = [written for stemmed, written in facts.items() if stemmed not in known]
        found, share = _support(claim, text, asked)
        lowest = min(lowest, share)
        new = len(_new_words(claim, asked))
        if missing:
            unsupported += missing
        elif share < (1.0 if new <= SHORT else ENOUGH):
            unsupported.append(claim)
        else:
            places |= found
    if not unsupported and question and (mismatch(question, answer) or not _answers(places, text, asked)):
        unsupported.append(answer)
    evidence = [text.sentences[place] for place in sorted(places)]
    return Grounding(not unsupported, evidence, unsupported, round(lowest, 3))


def _new_words(claim: str, asked: Set[str]) -> frozenset[str]:
    """What a claim says that the question does not; all its words, when it says nothing else."""
    content = frozenset(stems(claim)) or frozenset(stems(claim, everything=True))
    return content - asked or content


def _support(claim: str, text: _Text, asked: Set[str]) -> tuple[set[int], float]:
    """The sentences that hold most of a claim's new words, and how much of them."""
    new = _new_words(claim, asked)
    shares = []
    for place, here in enumerate(text.stems):
        held = here if len(new) <= SHORT else here | text.around(place)
        shares.append(len(new & held) / len(new))
    best = max(shares)
    near = [place for place, share in enumerate(shares) if share == best]
    most = max(len(new & text.stems[place]) for place in near)
    return {place for place in near if len(new & text.stems[place]) == most}, best


def _answers(places: Set[int], text: _Text, asked: Set[str]) -> bool:
    """Whether the sentences that support an answer are among those that speak of the question."""
    nearness = [text.nearness(asked, place) for place in range(len(text.stems))]
    best = max(nearness)
    return best < SPOKEN_OF or max(nearness[place] for place in places) >= NEAR_QUESTION * best


def stands_alone(question: str) -> str:
    """What in a question points to a text that its reader does not see, such as "it"; empty when nothing does."""
    for pattern in (TEXT, POINTING, THIS):
        found = pattern.search(question)
        if found:
            return found[0].strip(" ?.!").lower()
    nameless = NAMELESS.search(question)
    if nameless and not _named(question[: nameless.start()]):
        return nameless[0].lower()
    says_something = any(word not in NAMES_NOTHING for word in words(question))
    return _loose_pronoun(question) or ("" if says_something else "it names nothing")


def _named(text: str) -> bool:
    """Whether a name, written large within the sentence or before a colon, stands in a text."""
    return bool(names(text)) or ":" in text


def _loose_pronoun(question: str) -> str:
    """A pronoun of the third person for which the question names nobody and nothing before; empty if there is none."""
    if EXPLETIVE.search(question) or WEATHER.search(question):
        return ""
    subject = SUBJECT.search(question)
    pronoun = subject or ANY_PRONOUN.search(question)
    if not pronoun:
        return ""
    # "what services do they offer": the words between the question word and its verb are not what "they" means
    asks = [found.start() for found in QUESTION_WORD.finditer(question, 0, pronoun.start())] if subject else []
    before = question[: asks[-1] if asks else pronoun.start()]
    if any(word not in SAYS_NOTHING for word in words(before)):
        return ""
    return next(group for group in pronoun.groups() if group).lower()
