"""Overlap of word and character sequences: ROUGE-L and chrF, from 0 to 1, as the field's packages define them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ozfig.evaluate.metrics import listed

_ROUGE_WORD = re.compile(r"[a-z0-9]+")
CHRF_ORDER, CHRF_BETA = 6, 2


def rouge_l(prediction: str, references: str | Sequence[str]) -> float:
    """F1 of the longest common subsequence of words; the best reference counts.

    Lin 2004, as the rouge-score package computes it without stemming: lower case, only the letters a to z and
    digits count, so a text in another script scores 0.
    """
    said = _ROUGE_WORD.findall(prediction.lower())
    return max(_rouge_l(said, _ROUGE_WORD.findall(known.lower())) for known in listed(references))


def _rouge_l(said: Sequence[str], wanted: Sequence[str]) -> float:
    common = _longest_common(said, wanted)
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence, row by row."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = row
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(before[j + 1], row[j]))
    return row[-1]


def chrf(prediction: str, references: str | Sequence[str]) -> float:
    """Character n-gram F-score with recall counting twice; the best reference counts.

    Popovic 2015, chrF2 as sacrebleu computes it for a sentence (`chrF2|nc:6|nw:0|space:no`, there times 100):
    precision and recall are means over the orders 1 to 6 that both texts are long enough for.
    """
    said = _ngrams(prediction)
    return max(_chrf(said, _ngrams(known)) for known in listed(references))


def _chrf(said: Sequence[Counter[str]], wanted: Sequence[Counter[str]]) -> float:
    orders = [(s, w) for s, w in zip(said, wanted, strict=True) if s and w]
    shared = [(s & w).total() for s, w in orders]
    if not any(shared):
        return 0.0
    precision = sum(n / s.total() for n, (s, _) in zip(shared, orders, strict=True)) / len(orders)
    recall = sum(n / w.total() for n, (_, w) in zip(shared, orders, strict=True)) / len(orders)
    weight = CHRF_BETA**2
    return (1 + weight) * precision * recall / (weight * precision + recall)


def _ngrams(text: str) -> list[Counter[str]]:
    """The character n-grams of each order, without white space."""
    packed = "".join(text.split())
    return [Counter(packed[i : i + n] for i in range(len(packed) - n + 1)) for n in range(1, CHRF_ORDER + 1)]
