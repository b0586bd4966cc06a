"""What earlier stages were expected to take beside what they took, for the page."""

from __future__ import annotations

from typing import Any

NAMES = {"tune": "Tuning", "export": "Export"}


def rows(plan: dict[str, Any]) -> list[dict[str, str]]:
    """Stage, measure, planned, actual and how far off the plan was; no time for a stage that was stopped in between."""
    found = []
    for stage, name in NAMES.items():
        planned, actual = (plan.get(stage, {}).get(part) for part in ("planned", "actual"))
        if planned and actual:
            measures = ["memory_mb", "disk_mb"] if actual.get("continued") else ["seconds", "memory_mb", "disk_mb"]
            found += [_row(name, measure, planned, actual) for measure in measures]
    return found


def _row(name: str, measure: str, planned: dict[str, Any], actual: dict[str, Any]) -> dict[str, str]:
    label = {"seconds": "time", "memory_mb": "memory", "disk_mb": "disk"}[measure]
    a, b = planned[measure], actual[measure]
    off = f"{a / b - 1:+.0%}".replace("-", "\N{MINUS SIGN}") if b else ""
    return {"name": f"{name}, {label}", "planned": size(measure, a), "actual": size(measure, b), "off": off}


def size(measure: str, value: float) -> str:
    """A figure with its unit."""
    if measure == "seconds":
        return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"
    return f"{value:,.1f} MB" if value < 100 else f"{value:,.0f} MB"


def basis(plan: dict[str, Any]) -> str:
    """How the plan of tuning was made."""
    return str(plan.get("tune", {}).get("planned", {}).get("basis", ""))
