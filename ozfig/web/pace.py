"""How fast one host is asked: a limit of requests at once, a delay between two, slower when it is overloaded."""

from __future__ import annotations

import asyncio
import email.utils
import time

GOOD_IN_A_ROW = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0


class Pace:
    """The pace of one host. Every request calls `enter` before and `leave` after it.

    The limit is halved when the host shows that it has too much to do, and a pause is added when it is one
    already; ten good answers in a row give one back (additive increase, multiplicative decrease).
    """

    def __init__(self, concurrency: int, delay: float) -> None:
        self.delay = delay
        self.limit = concurrency
        self.pause = 0.0
        self._most = concurrency
        self._active = 0
        self._good = 0
        self._slowed_at = 0.0
        self._next = 0.0
        self._room = asyncio.Condition()
        self._order = asyncio.Lock()

    async def enter(self) -> float:
        """Wait for this request's turn; gives the time when it began."""
        async with self._room:
            await self._room.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            await self._turn()
        except BaseException:
            await self.leave()
            raise
        return time.monotonic()

    async def leave(self) -> None:
        """Make room for the next request."""
        async with self._room:
            self._active -= 1
            self._room.notify_all()

    def slower(self, began: float) -> None:
        """Note an answer of an overloaded host to a request that `began` then; answers to older ones count once."""
        self._good = 0
        if began < self._slowed_at:
            return
        self._slowed_at = time.monotonic()
        if self.limit == 1:
            self.pause = min(max(FIRST_PAUSE, self.pause * 2), LONGEST_PAUSE)
        self.limit = max(1, self.limit // 2)

    def faster(self) -> None:
        """Note a good answer."""
        self._good += 1
        if self._good < GOOD_IN_A_ROW:
            return
        self._good = 0
        if self.pause:
            self.pause = self.pause / 2 if self.pause > FIRST_PAUSE else 0.0
        else:
            self.limit = min(self._most, self.limit + 1)

    def rest(self, seconds: float) -> None:
        """Leave the host alone for a while."""
        self._next = max(self._next, time.monotonic() + seconds)

    async def _turn(self) -> None:
        """Wait out the delay and any rest, one request after another."""
        async with self._order:
            while (wait := self._next - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._next = time.monotonic() + self.delay + self.pause


def retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date."""
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
