"""A small memory: what was found stays known for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Values by key, each for so many seconds; of more than `most` those go first that were not asked for longest."""

    def __init__(self, seconds: float, most: int = 256) -> None:
        self._seconds, self._most = seconds, most
        self._rows: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The value of a key, or None when it is not known any more."""
        until, value = self._rows.get(key, (0.0, None))
        if value is None or until <= time.monotonic():
            self._rows.pop(key, None)
            return None
        self._rows.move_to_end(key)
        return value

    def put(self, key: str, value: T) -> None:
        """Keep a value."""
        self._rows[key] = (time.monotonic() + self._seconds, value)
        self._rows.move_to_end(key)
        if len(self._rows) > self._most:
            self._rows.popitem(last=False)
