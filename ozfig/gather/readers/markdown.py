"""Pieces of Markdown that several readers write."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head; rows are filled up to the longest."""
    width = max((len(row) for row in rows), default=0)
    filled = [[*map(_cell, row), *[""] * (width - len(row))] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in filled]
    return "\n".join([*lines[:1], f"| {' | '.join(['---'] * width)} |", *lines[1:]])


def item(text: str, level: int = 0, mark: str = "-") -> str:
    """A list item, indented by its level from 0."""
    return f"{'  ' * level}{mark} {text}"


def one_line(text: str) -> str:
    """Text with all white space joined."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")
