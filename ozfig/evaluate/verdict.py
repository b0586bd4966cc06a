"""The report's sentences. They follow from intervals and p alone: see `Comparison.is_noise`.

Text between two asterisks is what a reader in a hurry should see.
"""

from __future__ import annotations

from typing import Any

from ozfig.evaluate.benchmarks_panel import forgetting
from ozfig.evaluate.figures import CONDITIONS, Figures, difference, in_sentence, interval, outcome, p_value, word
from ozfig.evaluate.results import CLOSED, GOLD, RETRIEVED
from ozfig.types import Comparison

TUNED = {
    "better": "Tuning helped",
    "worse": "Tuning made it worse",
    "noise": "Tuning made no measurable difference",
    "likelier": "Tuning made the right answers likelier, but not the replies better",
}
FEW = 20  # questions below which the headline says how few there are
# what advice is about: retrieval as it is served, else what a perfect one could give
TEXT = {RETRIEVED: "What a search finds", GOLD: "The right passage"}
PASSAGE = {
    ("better", "better"): "; the text helps further",
    ("better", "worse"): "; giving it the text does help",
    ("better", "noise"): "; giving it the text does help",
    ("better", "likelier"): "; giving it the text does help",
    ("worse", "better"): ", but the text makes it worse",
    ("worse", "worse"): "; so does the text",
    ("worse", "noise"): "; the text makes it worse",
    ("worse", "likelier"): "; the text makes them worse",
    ("noise", "better"): "; the text adds nothing measurable",
    ("noise", "worse"): "; the text does not mend it",
    ("noise", "noise"): "; nor does the text",
    ("noise", "likelier"): "; the text adds nothing measurable",
}


def headline(report: dict[str, Any]) -> str:
    """One sentence: did tuning help, and does the text?"""
    figures = Figures(report)
    metric = figures.primary
    tuning = _tuning(figures)
    if tuning is None:
        point = figures.points[-1]
        value = figures.mean(figures.score(point, figures.condition, metric))
        return f"The {point} model's {in_sentence(metric)} is {value}; without base and tuned there is no comparison."
    text = outcome(figures.across(("tuned", CLOSED), ("tuned", figures.given), metric))
    if text == "better" and tuning == "better" and _passage_beats_tuning(figures) == "better":
        return f"Tuning helped; giving it the text helps more{_only(figures)}."
    return TUNED[tuning] + (PASSAGE[text, tuning] if text else "") + _only(figures) + "."


def _only(figures: Figures) -> str:
    """On how few questions the first sentence rests, where they are few."""
    change = figures.compare("base", "tuned", figures.condition, figures.primary)
    return f" (on {change.n} questions only)" if change and change.n < FEW else ""


def _tuning(figures: Figures) -> str | None:
    """What tuning did to the replies; where that is noise, whether the reference answers became likelier."""
    replies = outcome(figures.compare("base", "tuned", figures.condition, figures.primary))
    loss = outcome(figures.compare("base", "tuned", figures.condition, "answer_loss"))
    return "likelier" if (replies, loss) == ("noise", "better") else replies


def _passage_beats_tuning(figures: Figures) -> str | None:
    """How the base with the passage compares with the tuned model without it."""
    found = figures.across(("base", figures.given), ("tuned", CLOSED), figures.primary)
    return {"better": "worse", "worse": "better", "noise": "noise", None: None}[outcome(found)]


def sentences(report: dict[str, Any], quantisation: str = "quantised") -> list[str]:
    """The paragraph under the headline: replies, likelihood of the answers, passage, quantised file."""
    figures = Figures(report)
    parts = [_replies(figures), _likelihood(figures), _with_passage(figures), _smaller(figures, quantisation)]
    return [part for part in [*parts, *_others(figures), *forgetting(report)[:1]] if part]


def _others(figures: Figures) -> list[str]:
    """The tuned model against each model that is not of this run."""
    found = [(point, figures.compare(point, "tuned", figures.condition, figures.primary)) for point in figures.points]
    return [
        f"Against {point} the tuned model's {in_sentence(figures.primary)} differs by **{difference(change)}** "
        f"({_evidence(change)})."
        for point, change in found
        if change and point not in ("base", "quantised")
    ]


def _evidence(found: Comparison) -> str:
    p = f" and p {p_value(found.p)}" if not found.low <= 0 <= found.high and found.p >= 0.05 else ""
    note = f"{p}, which is noise" if word(found) == "noise" else ""
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
    """What the text adds: as a search finds it, and as it would be if the search were always right."""
    parts = []
    for condition in (RETRIEVED, GOLD):
        score = figures.score("tuned", condition, figures.primary)
        change = figures.across(("tuned", CLOSED), ("tuned", condition), figures.primary)
        if score and change:
            reached = f"it reaches **{figures.mean(score)}** ({difference(change)}, {_evidence(change)})"
            parts.append(f"{CONDITIONS[condition][:1].upper()}{CONDITIONS[condition][1:]} {reached}.")
    if figures.retrieval and parts:
        parts.append(_recall(figures.retrieval))
    return " ".join(parts)


def _recall(found: dict[str, Any]) -> str:
    """How often the search is right."""
    within = "first" if found["k"] == 1 else f"first {found['k']}"
    low, high = (f"{100 * found[end]:.0f}" for end in ("low", "high"))
    share = f"**{100 * found['recall']:.0f} %** of {found['n']:,} questions"
    return f"The search has the right passage among its {within} for {share} (95 % interval {low} to {high} %)."


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
    passage = figures.across(("tuned", CLOSED), ("tuned", figures.given), metric)
    tuning = figures.compare("base", "tuned", figures.given, metric)
    alone = figures.compare("base", "tuned", CLOSED, metric)
    if passage is None or tuning is None or alone is None:
        return []
    return [
        f"{TEXT[figures.given]} {_adds(passage)} the tuned model.",
        f"Where the text is given, tuning {_adds(tuning)} the base.",
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
    found = figures.across(("base", figures.given), ("tuned", CLOSED), figures.primary)
    if found is None:
        return []
    figure = f"tuned without minus base with: {difference(found)} {interval(found)}"
    return [
        {
            "better": f"Tuning alone beats the text alone ({figure}).",
            "worse": f"The text alone beats tuning alone ({figure}).",
            "noise": f"Tuning alone and the text alone are level ({figure}, noise).",
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
