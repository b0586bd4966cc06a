"""Metrics as the harness calls them: all replies of all models at once, with a folder to keep costly work in.

Each gives one figure for every reply, or several columns of them by name; None where a figure does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ozfig.evaluate import bertscore as bert
from ozfig.evaluate import metrics, ngrams
from ozfig.recipe import Evaluate

Replies = Sequence[str]
References = Sequence[Sequence[str]]
Columns = dict[str, list[float]]


def exact_match(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """SQuAD v1.1's exact match of each reply."""
    return [metrics.exact_match(reply, known) for reply, known in zip(replies, references, strict=True)]


def token_f1(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """SQuAD v1.1's F1 of each reply."""
    return [metrics.token_f1(reply, known) for reply, known in zip(replies, references, strict=True)]


def squad_v2(
    replies: Replies, references: References, section: Evaluate, cache: Path | None = None
) -> dict[str, list[float | None]]:
    """SQuAD v2.0's exact match and F1 over all questions, and apart over those with and without an answer."""
    found: dict[str, list[float | None]] = {}
    pairs = [metrics.squad_v2(reply, known) for reply, known in zip(replies, references, strict=True)]
    answerable = [metrics.has_answer(known) for known in references]
    for i, name in enumerate(("exact_match", "f1")):
        values = [pair[i] for pair in pairs]
        found[f"squad_v2_{name}"] = [*values]
        for group, wanted in (("has_answer", True), ("no_answer", False)):
            column = [v if has is wanted else None for v, has in zip(values, answerable, strict=True)]
            found[f"squad_v2_{group}_{name}"] = column
    return found


def bleu4(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """Smoothed BLEU-4 of each reply, from 0 to 1; the mean times 100 is what CodeXGLUE prints."""
    return [metrics.sentence_bleu4(reply, known) for reply, known in zip(replies, references, strict=True)]


def rouge_l(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """ROUGE-L's F1 of each reply."""
    return [ngrams.rouge_l(reply, known) for reply, known in zip(replies, references, strict=True)]


def chrf(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """chrF2 of each reply, from 0 to 1."""
    return [ngrams.chrf(reply, known) for reply, known in zip(replies, references, strict=True)]


def answer_words(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> list[float]:
    """Words of each reply."""
    return [metrics.answer_words(reply) for reply in replies]


def bertscore(replies: Replies, references: References, section: Evaluate, cache: Path | None = None) -> Columns:
    """BERTScore's F1 (`bertscore`), precision and recall of each reply."""
    model = bert.chosen(section.bertscore_model)
    # what several models are asked counts once
    asked = [text for group in dict.fromkeys(tuple(known) for known in references) for text in group]
    idf = asked if section.bertscore_idf else ()
    precision, recall, f1 = bert.bertscore(replies, references, model, idf=idf, cache=cache)
    return {"bertscore": f1, "bertscore_precision": precision, "bertscore_recall": recall}
