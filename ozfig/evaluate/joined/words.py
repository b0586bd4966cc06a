"""Sentences about two models or more. They follow from the intervals alone, as those of a run's report do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ozfig.evaluate.figures import CONDITIONS, Figures, difference, in_sentence, interval, outcome, p_value, word
from ozfig.types import Comparison

Called = Callable[[str], str]
LIKELIER = {
    "better": "likelier for {b}",
    "worse": "likelier for {a}",
    "noise": "as likely for both",
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


def first(text: str) -> str:
    """A text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def in_words(found: Comparison, better: str, worse: str, level: str) -> str:
    """The phrase for the outcome."""
    return {"better": better, "worse": worse, "noise": level}[outcome(found) or "noise"]


def replies(figures: Figures, a: str, b: str, conditions: Sequence[str] = (), called: Called = str) -> list[str]:
    """One sentence a condition: what each scores, and the difference. `called` is what a name reads in a sentence."""
    found, metric = [], figures.primary
    for condition in conditions or figures.conditions:
        before, after = (figures.score(point, condition, metric) for point in (a, b))
        compared = figures.compare(a, b, condition, metric)
        if before and after and compared:
            asked = first(CONDITIONS.get(condition, condition))
            means = f"**{figures.mean(after)}** and {called(a)} of {figures.mean(before)}"
            questions = f"{compared.n:,} held-out questions"
            found.append(
                f"{asked}, {called(b)} has a mean {in_sentence(metric)} of {means} on {questions}: {change(compared)}."
            )
    return found


def likelihood(figures: Figures, a: str, b: str, called: Called = str) -> list[str]:
    """Under which of the two the reference answers are likelier, for each condition, where both tell."""
    found = [
        (CONDITIONS.get(condition, condition), compared)
        for condition in figures.conditions
        if (compared := figures.compare(a, b, condition, "answer_loss"))
    ]
    said = [
        f"{asked} {LIKELIER[outcome(compared) or 'noise'].format(a=called(a), b=called(b))} "
        f"({difference(compared)} nats a token, {evidence(compared)})"
        for asked, compared in found
    ]
    return [f"The reference answers are {'; '.join(said)}."] if said else []
