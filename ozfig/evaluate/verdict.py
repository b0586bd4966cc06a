"""The report's sentences. They follow from the intervals alone: where an interval holds zero, it is noise.

Text between two asterisks is what a reader in a hurry should see.
"""

from __future__ import annotations

from typing import Any

from ozfig.evaluate.figures import CONDITIONS, Figures, difference, in_sentence, interval, outcome, word
from ozfig.evaluate.results import CLOSED, GOLD
from ozfig.types import Comparison

TUNED = {
    "better": "Tuning helped",
    "worse": "Tuning made it worse",
    "noise": "Tuning made no measurable difference",
    "likelier": "Tuning made the right answers likelier, but not the replies better",
}
PASSAGE = {
    ("better", "better"): "; the passage helps further",
    ("better", "worse"): "; giving it the passage does help",
    ("better", "noise"): "; giving it the passage does help",
    ("better", "likelier"): "; giving it the passage does help",
    ("worse", "better"): ", but the passage makes it worse",
    ("worse", "worse"): "; so does the passage",
    ("worse", "noise"): "; the passage makes it worse",
    ("worse", "likelier"): "; the passage makes them worse",
    ("noise", "better"): "; the passage adds nothing measurable",
    ("noise", "worse"): "; the passage does not mend it",
    ("noise", "noise"): "; nor does the passage",
    ("noise", "likelier"): "; the passage adds nothing measurable",
}


def headline(report: dict[str, Any]) -> str:
    """One sentence: did tuning help, and does the passage?"""
    figures = Figures(report)
    metric = figures.primary
    tuning = _tuning(figures)
    if tuning is None:
        point = figures.points[-1]
        value = figures.mean(figures.score(point, figures.condition, metric))
        return f"The {point} model's {in_sentence(metric)} is {value}; without base and tuned there is no comparison."
    text = outcome(figures.across(("tuned", CLOSED), ("tuned", GOLD), metric))
    if text == "better" and tuning == "better" and _passage_beats_tuning(figures) == "better":
        return "Tuning helped; giving it the passage helps more."
    return TUNED[tuning] + (PASSAGE[text, tuning] if text else "") + "."


def _tuning(figures: Figures) -> str | None:
    """What tuning did to the replies; where that is noise, whether the reference answers became likelier."""
    replies = outcome(figures.compare("base", "tuned", figures.condition, figures.primary))
    loss = outcome(figures.compare("base", "tuned", figures.condition, "answer_loss"))
    return "likelier" if (replies, loss) == ("noise", "better") else replies


def _passage_beats_tuning(figures: Figures) -> str | None:
    """How the base with the passage compares with the tuned model without it."""
    found = figures.across(("base", GOLD), ("tuned", CLOSED), figures.primary)
    return {"better": "worse", "worse": "better", "noise": "noise", None: None}[outcome(found)]


def sentences(report: dict[str, Any], quantisation: str = "quantised") -> list[str]:
    """The paragraph under the headline: replies, likelihood of the answers, passage, quantised file."""
    figures = Figures(report)
    parts = [_replies(figures), _likelihood(figures), _with_passage(figures), _smaller(figures, quantisation)]
    return [part for part in parts if part]


def _evidence(found: Comparison) -> str:
    note = ", which is noise" if word(found) == "noise" else ""
    return f"95 % interval {interval(found).strip('[]').replace(', ', ' to ')}{note}"


def _replies(figures: Figures) -> str:
    metric, condition = figures.primary, figures.condition
    before, after = figures.score("base", condition, metric), figures.score("tuned", condition, metric)
    change = figures.compare("base", "tuned", condition, metric)
    if before is None or after is None or change is None:
        return ""
    return (
        f"On **{after.n} held-out questions** ({CONDITIONS.get(condition, condition)}) the tuned model answers with "
        f"a mean {in_sentence(metric)} of **{figures.mean(after)}**, against {figures.mean(before)} before: "
        f"**{difference(change)}** ({_evidence(change)})."
    )


def _likelihood(figures: Figures) -> str:
    before = figures.score("base", figures.condition, "perplexity")
    after = figures.score("tuned", figures.condition, "perplexity")
    change = figures.compare("base", "tuned", figures.condition, "answer_loss")
    if before is None or after is None or change is None:
        return ""
    became = {"better": "became likelier", "worse": "became less likely", "noise": "are as likely as before"}
    return (
        f"The reference answers {became[outcome(change) or 'noise']}: perplexity {figures.mean(after)}, "
        f"against {figures.mean(before)}."
    )


def _with_passage(figures: Figures) -> str:
    score = figures.score("tuned", GOLD, figures.primary)
    change = figures.across(("tuned", CLOSED), ("tuned", GOLD), figures.primary)
    if score is None or change is None:
        return ""
    return f"With the right passage it reaches **{figures.mean(score)}** ({difference(change)}, {_evidence(change)})."


def _smaller(figures: Figures, quantisation: str) -> str:
    change = figures.compare("tuned", "quantised", figures.condition, figures.primary)
    if change is None:
        return ""
    if word(change) == "identical":
        return f"The {quantisation} file scores exactly as full precision does on each of the {change.n} questions."
    figure = f"{difference(change)} {interval(change)}"
    if outcome(change) == "noise":
        shown = f"within what {change.n} questions can show"
        return f"The {quantisation} file is no worse than full precision {shown} ({figure})."
    verb = "scores lower" if outcome(change) == "worse" else "scores higher"
    return f"The {quantisation} file **{verb}** than full precision: {figure}."


def advice(report: dict[str, Any]) -> list[str]:
    """What the 2 x 2 table says to do: two findings and a recommendation. Empty where it was not measured."""
    figures = Figures(report)
    metric = figures.primary
    passage = figures.across(("tuned", CLOSED), ("tuned", GOLD), metric)
    tuning = figures.compare("base", "tuned", GOLD, metric)
    alone = figures.compare("base", "tuned", CLOSED, metric)
    if passage is None or tuning is None or alone is None:
        return []
    return [
        f"The passage {_adds(passage)} the tuned model.",
        f"Where the passage is given, tuning {_adds(tuning)} the base.",
        *_direct(figures),
        f"**{_recommend(outcome(passage), outcome(tuning), outcome(alone))}**",
    ]


def _adds(change: Comparison) -> str:
    figure = f"{difference(change)} {interval(change)}"
    return {
        "better": f"adds {figure} to",
        "worse": f"costs {figure} of",
        "noise": f"adds nothing measurable ({figure}) to",
    }[outcome(change) or "noise"]


def _direct(figures: Figures) -> list[str]:
    """The base with the passage against the tuned model without: which would have been the better choice?"""
    found = figures.across(("base", GOLD), ("tuned", CLOSED), figures.primary)
    if found is None:
        return []
    figure = f"tuned without minus base with: {difference(found)} {interval(found)}"
    return [
        {
            "better": f"Tuning alone beats the passage alone ({figure}).",
            "worse": f"The passage alone beats tuning alone ({figure}).",
            "noise": f"Tuning alone and the passage alone are level ({figure}, noise).",
        }[outcome(found) or "noise"]
    ]


def _recommend(passage: str | None, tuning: str | None, alone: str | None) -> str:
    """What to serve. `passage`: its effect on the tuned model; `tuning`: with the passage; `alone`: without it."""
    if passage == "better":
        return {
            "better": "Use both: serve the tuned model with retrieval on.",
            "noise": "Serve with retrieval on; tuning is optional.",
            "worse": "Serve with retrieval on, and the base model rather than this one.",
        }[tuning or "noise"]
    if alone == "better":
        return "Serve the tuned model; retrieval does not help it yet."
    if tuning == "better":
        return "Serve the tuned model with retrieval on: only with the passage does tuning show."
    return "Neither is ready: try more or better pairs, more epochs or a larger base."
