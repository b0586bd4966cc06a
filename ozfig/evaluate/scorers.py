"""Metrics as the harness calls them: all replies of one model at once, one figure for each."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig.evaluate import bertscore as bert
from ozfig.evaluate import metrics
from ozfig.recipe import Evaluate

Replies = Sequence[str]
References = Sequence[Sequence[str]]


def exact_match(replies: Replies, references: References, section: Evaluate) -> list[float]:
    """SQuAD's exact match of each reply."""
    return [metrics.exact_match(reply, known) for reply, known in zip(replies, references, strict=True)]


def token_f1(replies: Replies, references: References, section: Evaluate) -> list[float]:
    """SQuAD's F1 of each reply."""
    return [metrics.token_f1(reply, known) for reply, known in zip(replies, references, strict=True)]


def bleu4(replies: Replies, references: References, section: Evaluate) -> list[float]:
    """Smoothed BLEU-4 of each reply, from 0 to 1; the mean times 100 is what CodeXGLUE prints."""
    return [metrics.sentence_bleu4(reply, known) for reply, known in zip(replies, references, strict=True)]


def answer_words(replies: Replies, references: References, section: Evaluate) -> list[float]:
    """Words of each reply."""
    return [metrics.answer_words(reply) for reply in replies]


def bertscore(replies: Replies, references: References, section: Evaluate) -> list[float]:
    """BERTScore F1 of each reply."""
    return bert.bertscore(replies, references, model=section.bertscore_model)[2]
