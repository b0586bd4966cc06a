"""Files of questions, answers and conversations: rows of any format, told apart by their keys."""

from __future__ import annotations

from ozfig.formats.examples import Reading as examples

__all__ = ["examples"]
