"""How did it learn? The loss over the tokens read, on training rows and on rows that were kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from ozfig.evaluate import figures as f
from ozfig.evaluate.evidence import Evidence
from ozfig.pages import charts


def curve(found: Evidence) -> dict[str, Any] | None:
    """The losses over tokens, drawn from the logs; None where nothing was logged."""
    if len(found.log) < 2:
        return None
    losses, tokens = [row["loss"] for row in found.log], [row["tokens"] for row in found.log]
    at = {row["step"]: row["tokens"] for row in found.log}
    held = [(at[row["step"]], row["loss"]) for row in found.validation if row["step"] in at]
    top = charts.nice_top(max([*losses, *(loss for _, loss in held)]))
    smooth = charts.running_mean(losses, max(2, len(losses) // 8))
    kept = found.metric("tune", "best_step")
    return {
        "svg": charts.curve(tokens, losses, top, _held(held, at.get(kept), tokens, top)),
        "ticks": [f"{top * share:g}" for share in (1, 0.75, 0.5, 0.25, 0)],
        "tokens": f"{tokens[-1]:,}",
        "half": f"{tokens[-1] // 2:,}",
        "steps": f"{found.log[-1]['step']:,}",
        "first": f.number(losses[0]),
        "last": f.number(smooth[-1]),
        "kept": _kept(found, kept),
        "speed": found.speed and f"{found.speed['tokens_per_second']:,.0f}",
    }


def _kept(found: Evidence, step: int | None) -> dict[str, Any] | None:
    """The validation loss: at the first measurement, the lowest, and the last."""
    rows = found.validation
    if not rows or step is None:
        return None
    first, best, last = rows[0]["loss"], min(row["loss"] for row in rows), rows[-1]["loss"]
    digits = f.decimals(max(abs(last - best), abs(first - best)) / 10)
    shown = {name: f.number(loss, digits) for name, loss in (("first", first), ("best", best), ("last", last))}
    rose = last > best and step < rows[-1]["step"]
    keep = found.recipe.tune.keep if found.recipe else "best"
    return {**shown, "step": f"{step:,}", "rows": found.metric("tune", "validation_rows"), "rose": rose, "keep": keep}


def _held(held: Sequence[tuple[int, float]], kept: int | None, tokens: Sequence[int], top: float) -> Markup:
    """The validation losses as dots on a line, and a line down through the state that measured best."""
    if not held:
        return Markup()
    span = (tokens[-1] - tokens[0]) or 1
    places = [f"{1000 * (x - tokens[0]) / span:.1f} {1000 * (1 - loss / top):.1f}" for x, loss in held]
    line = Markup('<path class="held" d="M{d}"/>').format(d="L".join(places))
    dots = Markup('<path class="dots" d="{d}"/>').format(d="".join(f"M{place}h0" for place in places))
    if kept is None:
        return line + dots
    x = f"{1000 * (kept - tokens[0]) / span:.1f}"
    return Markup('<path class="kept" d="M{x} 0V1000"/>').format(x=x) + line + dots
