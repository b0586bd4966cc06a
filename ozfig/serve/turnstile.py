"""How many may ask: a bounded queue before each model, and so many requests a minute for each key."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from ozfig.serve.problems import ApiError

MOST_NAMES = 10_000  # of whom a window remembers; the oldest are forgotten


class Turnstile:
    """Counts requests in progress: `slots` are answered, `queue` more wait, the next is refused."""

    def __init__(self, slots: int, queue: int) -> None:
        self.slots, self.queue, self.inside = slots, queue, 0

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return max(0, self.inside - self.slots)

    @property
    def running(self) -> int:
        """Requests that are answered."""
        return min(self.inside, self.slots)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One request's stay. Raises ApiError 429 when the queue is full."""
        if self.inside >= self.slots + self.queue:
            raise busy(f"{self.queue} requests wait already; ask again in a moment", 1)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class Window:
    """At most `limit` events in any `seconds` for each name; 0 sets no limit."""

    def __init__(self, limit: int, seconds: float = 60.0) -> None:
        self.limit, self.seconds = limit, seconds
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, name: str) -> float:
        """Seconds until the next event of a name is allowed; 0 is now."""
        if not self.limit:
            return 0.0
        events, now = self._events.get(name, deque()), time.monotonic()
        while events and now - events[0] >= self.seconds:
            events.popleft()
        return self.seconds - (now - events[0]) if len(events) >= self.limit else 0.0

    def note(self, name: str) -> None:
        """Count an event."""
        if self.limit:
            self._events.setdefault(name, deque()).append(time.monotonic())
            self._events.move_to_end(name)
            if len(self._events) > MOST_NAMES:
                self._events.popitem(last=False)


def busy(text: str, seconds: float) -> ApiError:
    """A 429 that says when to ask again."""
    error = ApiError(429, text, "rate_limit_exceeded")
    error.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return error
