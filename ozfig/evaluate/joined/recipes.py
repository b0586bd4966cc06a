"""What differs between the frozen recipes of runs, in which every automatic choice is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ozfig import recipes
from ozfig.runs import RECIPE

Difference = dict[str, Any]


def differences(runs: Mapping[str, Path]) -> list[Difference]:
    """Rows of `{key, values}` in the recipe's order: each run's value by its name, None where it has none."""
    found = {name: dict(_flat(recipes.read_yaml(folder / RECIPE))) for name, folder in runs.items()}
    keys = dict.fromkeys(key for values in found.values() for key in values if key != "name")
    rows = {key: {name: values.get(key) for name, values in found.items()} for key in keys}
    return [{"key": key, "values": values} for key, values in rows.items() if len(set(map(repr, values.values()))) > 1]


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value under its dotted key; lists of plain values stay whole."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{key}.{place}")
    else:
        yield key, value
