"""The same questions side by side: reference, base, tuned, quantised.

The largest difference between base and tuned stands first; among equal ones, that of the loss.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from ozfig.evaluate.figures import CONDITIONS, Figures, label, number
from ozfig.evaluate.metrics import normalise
from ozfig.types import Example, Sample

_WORD = re.compile(r"\w[\w'’-]*")
ALIKE = 0.005  # a difference that two decimals do not show


def side_by_side(
    items: Sequence[Example], samples: Sequence[Sample], figures: Figures, step: tuple[str, str] = ("base", "tuned")
) -> list[dict[str, Any]]:
    """One entry a question, ordered by how far the score moved from the first point of `step` to the second."""
    said: dict[str, list[Sample]] = {}
    for sample in samples:
        said.setdefault(sample.item, []).append(sample)
    entries = [_entry(item, said[item.id], figures, step) for item in items if item.id in said]
    return sorted(entries, key=lambda e: (-abs(e["change"]), -abs(e["loss_change"])))


def _entry(item: Example, samples: list[Sample], figures: Figures, step: tuple[str, str]) -> dict[str, Any]:
    metric = figures.primary
    main = {s.model: s for s in samples if s.condition == figures.condition}
    change = loss_change = 0.0
    if all(point in main for point in step):
        before, after = (main[point] for point in step)
        change, loss_change = after.scores[metric] - before.scores[metric], _loss(after) - _loss(before)
    smaller = "tuned" in main and "quantised" in main and main["tuned"].reply != main["quantised"].reply
    return {
        "question": item.question,
        "references": item.references,
        "passage": item.context,
        "change": change,
        "loss_change": loss_change,
        "moved": "level" if abs(change) < ALIKE else "better" if change > 0 else "worse",
        "smaller": "differs" if smaller else "same",
        "brief": " → ".join(number(main[p].scores[metric]) for p in step if p in main),
        "metric": label(metric),
        "conditions": [
            {
                "label": CONDITIONS.get(condition, condition),
                "replies": [_reply(s, item, metric) for s in samples if s.condition == condition],
            }
            for condition in figures.conditions
            if any(s.condition == condition for s in samples)
        ],
    }


def _loss(sample: Sample) -> float:
    """The loss a token; 0 where the model gives none."""
    return sample.nats / max(1, sample.tokens)


def _reply(sample: Sample, item: Example, metric: str) -> dict[str, Any]:
    return {
        "point": sample.model,
        "text": marked(sample.reply, item.references),
        "score": number(sample.scores[metric]),
        "loss": number(_loss(sample)) if sample.tokens else "",
    }


def marked(reply: str, references: Sequence[str]) -> Markup:
    """A reply with the words that its references hold marked."""
    wanted = {word for reference in references for word in normalise(reference)}
    found, at = Markup(), 0
    for match in _WORD.finditer(reply):
        words = normalise(match.group())
        shown = (
            Markup("<mark>{}</mark>").format(match.group()) if words and set(words) <= wanted else escape(match.group())
        )
        found += escape(reply[at : match.start()]) + shown
        at = match.end()
    return found + escape(reply[at:])
