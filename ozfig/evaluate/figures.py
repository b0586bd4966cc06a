"""Looking up the figures of a report.json and writing them down: one way for every page and table."""

from __future__ import annotations

import math
from typing import Any, Literal

from ozfig.evaluate.results import CLOSED, GOLD, LOWER_IS_BETTER, NEUTRAL, RETRIEVED, TASK
from ozfig.evaluate.statistics import Z95
from ozfig.types import Comparison, Score

Outcome = Literal["better", "worse", "noise"]
LABELS = {
    "exact_match": "Exact match",
    "token_f1": "Token F1",
    "bertscore": "BERTScore F1",
    "bertscore_precision": "BERTScore precision",
    "bertscore_recall": "BERTScore recall",
    "bleu4": "Smoothed BLEU-4",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "answer_words": "Words in the reply",
    "perplexity": "Perplexity of the reference answers",
    "answer_loss": "Loss of the reference answers",
    "acc": "Accuracy",
    "acc_norm": "Accuracy, by length",
    "bits_per_byte": "Bits a byte",
}
CONDITIONS = {CLOSED: "closed book", RETRIEVED: "with what a search finds", GOLD: "with the right passage"}
UP_TO_ONE = {
    "exact_match",
    "token_f1",
    "bertscore",
    "bertscore_precision",
    "bertscore_recall",
    "bleu4",
    "rouge_l",
    "chrf",
    "acc",
    "acc_norm",
}
PRIMARY = ["token_f1", "bleu4", "bertscore", "exact_match"]
MINUS = "\N{MINUS SIGN}"


class Figures:
    """The scores and comparisons of one task of a report, found by name: those of the held-out questions."""

    def __init__(self, report: dict[str, Any], task: str = TASK) -> None:
        scores = [Score.from_row(row) for row in report["scores"] if row["task"] == task]
        comparisons = [Comparison.from_row(row) for row in report["comparisons"] if row["task"] == task]
        self.retrieval: dict[str, Any] | None = report.get("retrieval")
        self.points = list(dict.fromkeys(s.model for s in scores))
        self.conditions = list(dict.fromkeys(s.condition for s in scores))
        self.metrics = list(dict.fromkeys(s.metric for s in scores))
        # one metric is written in the same digits everywhere: those that its largest error supports
        self._digits = {m: decimals(max(s.stderr for s in scores if s.metric == m)) for m in self.metrics}
        self._scores = {(s.model, s.condition, s.metric): s for s in scores}
        self._comparisons = {(c.a, c.b, c.condition, c.metric): c for c in comparisons}

    @property
    def primary(self) -> str:
        """The metric that the verdict speaks of."""
        judged = [m for m in self.metrics if m not in NEUTRAL | LOWER_IS_BETTER]
        return next((m for m in [*PRIMARY, *judged, *self.metrics] if m in self.metrics), "")

    @property
    def condition(self) -> str:
        """The condition that the verdict speaks of: closed book where it was measured."""
        return CLOSED if CLOSED in self.conditions else self.conditions[0]

    @property
    def given(self) -> str:
        """With which text advice is given: found by a search, as it is served; the right passage where none was."""
        return RETRIEVED if RETRIEVED in self.conditions else GOLD

    def score(self, point: str, condition: str, metric: str) -> Score | None:
        """One mean with its standard error."""
        return self._scores.get((point, condition, metric))

    def compare(self, a: str, b: str, condition: str, metric: str) -> Comparison | None:
        """One paired difference, b minus a; perplexity is judged by the loss behind it."""
        return self._comparisons.get((a, b, condition, "answer_loss" if metric == "perplexity" else metric))

    def mean(self, score: Score | None) -> str:
        """A mean for people; empty where there is none."""
        return number(score.mean, self._digits[score.metric]) if score else ""

    def margin(self, score: Score) -> str:
        """Half of the mean's 95 % interval."""
        return f"± {number(Z95 * score.stderr, self._digits[score.metric])}"

    def across(self, a: tuple[str, str], b: tuple[str, str], metric: str) -> Comparison | None:
        """The paired difference of two (point, condition) cells."""
        if a[1] == b[1]:
            return self.compare(a[0], b[0], a[1], metric)
        return self.compare("@".join(a), "@".join(b), f"{a[1]}->{b[1]}", metric)


def outcome(comparison: Comparison | None) -> Outcome | None:
    """Whether b is better than a, worse, or neither as far as these questions can show."""
    if comparison is None:
        return None
    if comparison.is_noise or comparison.metric in NEUTRAL:
        return "noise"
    return "better" if (comparison.difference > 0) != is_lower_better(comparison.metric) else "worse"


def is_lower_better(metric: str) -> bool:
    """Whether a fall of a metric is a gain; a benchmark's metric may name its filter behind a comma."""
    return metric.split(",")[0] in LOWER_IS_BETTER


def is_share(metric: str) -> bool:
    """Whether a metric goes from 0 to 1."""
    return metric.split(",")[0] in UP_TO_ONE


def label(metric: str) -> str:
    """A metric's name for people."""
    name, _, selection = metric.partition(",")
    known = LABELS.get(name, name.replace("_", " ").capitalize())
    return f"{known} ({selection})" if selection else known


def word(comparison: Comparison) -> str:
    """The outcome in one word; two models that never differed are identical, which is more than noise."""
    return "identical" if comparison.low == comparison.high == 0 else outcome(comparison) or "noise"


def in_sentence(metric: str) -> str:
    """A metric's name within a sentence: the first letter is small unless the word is a name."""
    name = label(metric)
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def decimals(error: float) -> int:
    """How many decimals a figure deserves: two, or as many as its error needs to show a digit."""
    return min(4, max(2, math.ceil(-math.log10(error)))) if error > 0 else 2


def number(value: float, digits: int = 2) -> str:
    """A figure with a real minus sign and thousands separated; large ones lose their decimals."""
    digits = digits if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text.lstrip("-")


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign; zero has none."""
    text = number(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def interval(comparison: Comparison) -> str:
    """The 95 % interval of a difference."""
    digits = _digits(comparison)
    return f"[{signed(comparison.low, digits)}, {signed(comparison.high, digits)}]"


def difference(comparison: Comparison) -> str:
    """A difference in the digits that its interval supports."""
    return signed(comparison.difference, _digits(comparison))


def _digits(comparison: Comparison) -> int:
    return decimals((comparison.high - comparison.low) / 4)


def p_value(p: float) -> str:
    """A p in the usual notation."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def size(count: float) -> str:
    """Bytes for people, in powers of ten as file listings show them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "kB") or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")
