"""Scores of one reply against its accepted answers; higher is better but for `answer_words`, which only describes.

Exact match and F1 follow SQuAD v1.1's evaluation (Rajpurkar et al. 2016): lower case, no punctuation, no
articles, single spaces, and the best of the references counts. ROUGE-L and chrF are in ngrams.py.
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


def squad_v2(prediction: str, references: str | Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 by SQuAD v2.0's evaluation (Rajpurkar et al. 2018), where a question may have no answer.

    References without a word do not count; where none is left, or none was given, only an empty reply is right.
    """
    known = [reference for reference in listed(references) if normalise(reference)]
    if known and normalise(prediction):
        return exact_match(prediction, known), token_f1(prediction, known)
    right = float(not known and not normalise(prediction))
    return right, right


def has_answer(references: str | Sequence[str]) -> bool:
    """Whether a question has an answer: a reference that holds a word."""
    return any(normalise(reference) for reference in listed(references))


def squad_v2_totals(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> dict[str, float]:
    """The figures that SQuAD v2.0's script prints, in per cent.

    exact, f1 and total over all questions, and over those that have an answer (HasAns_) or none (NoAns_). Raises
    ValueError when the lists differ in length.
    """
    scored = [squad_v2(p, r) for p, r in zip(predictions, references, strict=True)]
    answerable = [has_answer(known) for known in references]
    groups = {
        "": scored,
        "HasAns_": [pair for pair, has in zip(scored, answerable, strict=True) if has],
        "NoAns_": [pair for pair, has in zip(scored, answerable, strict=True) if not has],
    }
    found: dict[str, float] = {}
    for name, rows in groups.items():
        if rows:
            exact, f1 = (100 * math.fsum(column) / len(rows) for column in zip(*rows, strict=True))
            found |= {f"{name}exact": exact, f"{name}f1": f1, f"{name}total": len(rows)}
    return found


def accuracy(log_likelihoods: Sequence[float], right: int) -> float:
    """`acc` of the LM evaluation harness: 1.0 where the right choice, the first of equals, is the likeliest."""
    return float(max(range(len(log_likelihoods)), key=log_likelihoods.__getitem__) == right)


def normalised_accuracy(log_likelihoods: Sequence[float], choices: Sequence[str], right: int) -> float:
    """`acc_norm` of the LM evaluation harness: each choice's log-likelihood is divided by its characters first.

    `choices` are the texts without the space before them. Raises ValueError for lists of different length.
    """
    return accuracy([nats / len(choice) for nats, choice in zip(log_likelihoods, choices, strict=True)], right)


def answer_words(prediction: str) -> float:
    """How many words the reply has."""
    return float(len(prediction.split()))


def _best(score: Callable[[str, str], float], prediction: str, references: str | Sequence[str]) -> float:
    """The best score over the references. Raises ValueError when there is none."""
    return max(map(partial(score, prediction), listed(references)))


def listed(references: str | Sequence[str]) -> Sequence[str]:
    """One reference as a list of one."""
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
    wanted = [_BLEU_TOKEN.findall(r.lower()) for r in listed(references)]
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
