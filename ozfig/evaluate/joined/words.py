"""Sentences about two models or more. They follow from the intervals alone, as those of a run's report do."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig.evaluate.figures import CONDITIONS, Figures, difference, in_sentence, interval, outcome, p_value, word
from ozfig.types import Comparison

LIKELIER = {
    "better": "likelier under {b} than under {a}",
    "worse": "likelier under {a} than under {b}",
    "noise": "as likely under both, as far as these questions show",
}


def evidence(found: Comparison) -> str:
    """Interval, p and the word for what they show."""
    if word(found) == "identical":
        return "the same on every question"
    note = ", which is noise" if word(found) == "noise" else ""
    return f"95 % interval {interval(found).strip('[]').replace(', ', ' to ')}, p {p_value(found.p)}{note}"


def change(found: Comparison) -> str:
    """A difference with what it rests on."""
    return f"**{difference(found)}** ({evidence(found)})"


def in_words(found: Comparison, better: str, worse: str, level: str) -> str:
    """The phrase for the outcome."""
    return {"better": better, "worse": worse, "noise": level}[outcome(found) or "noise"]


def replies(figures: Figures, a: str, b: str, conditions: Sequence[str] = ()) -> list[str]:
    """One sentence a condition: what each scores, and the difference."""
    found, metric = [], figures.primary
    for condition in conditions or figures.conditions:
        before, after = (figures.score(point, condition, metric) for point in (a, b))
        compared = figures.compare(a, b, condition, metric)
        if before and after and compared:
            asked = CONDITIONS.get(condition, condition)
            found.append(
                f"{asked[:1].upper()}{asked[1:]}, {b} has a mean {in_sentence(metric)} of **{figures.mean(after)}** and "
                f"{a} of {figures.mean(before)} on {compared.n:,} held-out questions: {change(compared)}."
            )
    return found


def likelihood(figures: Figures, a: str, b: str) -> list[str]:
    """Under which of the two the reference answers are likelier, where both give probabilities."""
    compared = figures.compare(a, b, figures.condition, "answer_loss")
    if compared is None:
        return []
    said = LIKELIER[outcome(compared) or "noise"].format(a=a, b=b)
    return [f"The reference answers are {said}: {difference(compared)} nats a token ({evidence(compared)})."]
