"""Scores of one reply against its accepted answers; higher is better but for `answer_words`, which only describes.

Exact match and F1 follow SQuAD v1.1's evaluation (Rajpurkar et al. 2016): lower case, no punctuation, no
articles, single spaces, and the best of the references counts.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
# a run of letters and digits, or any other single mark
_BLEU_TOKEN = re.compile(r"[^\W_]+|\S")
_TINY = 2.2250738585072014e-308


def normalise(text: str) -> list[str]:
    """The words that SQuAD compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(prediction: str, references: str | Sequence[str]) -> float:
    """1.0 where the normalised prediction equals a normalised reference, else 0.0."""
    return _best(lambda a, b: float(normalise(a) == normalise(b)), prediction, references)


def token_f1(prediction: str, references: str | Sequence[str]) -> float:
    """The harmonic mean of precision and recall over shared words, from 0 to 1."""
    return _best(_overlap, prediction, references)


def answer_words(prediction: str) -> float:
    """How many words the reply has."""
    return float(len(prediction.split()))


def _best(score: Callable[[str, str], float], prediction: str, references: str | Sequence[str]) -> float:
    """The best score over the references. Raises ValueError when there is none."""
    return max(map(partial(score, prediction), _listed(references)))


def _listed(references: str | Sequence[str]) -> Sequence[str]:
    return [references] if isinstance(references, str) else references


def _overlap(prediction: str, reference: str) -> float:
    said, wanted = normalise(prediction), normalise(reference)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def smoothed_bleu4(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> float:
    """The mean of the sentences' smoothed BLEU-4, from 0 to 100, as CodeXGLUE scores code summaries.

    Raises ValueError when there is nothing to score or the lists differ in length.
    """
    values = [sentence_bleu4(p, r) for p, r in zip(predictions, references, strict=True)]
    if not values:
        raise ValueError("no predictions to score")
    return 100 * math.fsum(values) / len(values)


def sentence_bleu4(prediction: str, references: str | Sequence[str]) -> float:
    """BLEU-4 of one sentence, from 0 to 1, with one added to numerator and denominator beyond single words.

    Lin and Och 2004 (ORANGE), in CodeXGLUE's variant: lower case, punctuation split off, the shortest
    reference sets the brevity penalty, whose lengths have one added too.
    """
    said = _BLEU_TOKEN.findall(prediction.lower())
    wanted = [_BLEU_TOKEN.findall(r.lower()) for r in _listed(references)]
    total = 0.0
    for n in range(1, 5):
        allowed: Counter[tuple[str, ...]] = Counter()
        for reference in wanted:
            allowed |= _ngrams(reference, n)
        correct = (_ngrams(said, n) & allowed).total()
        guessed = max(len(said) - n + 1, 0)
        added = int(n > 1)
        total += math.log(correct + added + _TINY) - math.log(guessed + added + _TINY)
    brevity = min(0.0, 1 - (min(map(len, wanted)) + 1) / (len(said) + 1))
    return math.exp(total / 4 + brevity)


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
