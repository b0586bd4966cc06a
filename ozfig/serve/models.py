"""Every model of a server by its name: loaded at first use, unloaded when memory is short."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ozfig import console
from ozfig.serve.backend import Backend
from ozfig.serve.metrics import Metrics
from ozfig.serve.problems import ApiError
from ozfig.types import ModelRef

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 20  # that a question on the pages waits for a model to load before it is told to come again


class Models:
    """The first is the default; `limit` is the bytes that loaded models may take together, 0 for no limit.

    `size` says what one takes. A model alone is loaded whatever it takes. `patience` is in seconds.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        limit: int = 0,
        size: Callable[[ModelRef], int] = lambda ref: 0,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._all = {backend.model.name: backend for backend in backends}
        self.default = backends[0].model.name
        self.metrics = Metrics()
        self._limit, self._size, self._patience = limit, size, patience
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()
        for backend in backends:
            backend.metrics = self.metrics
            backend.wake = lambda backend=backend: self._wake(backend)  # type: ignore[misc]
            self._show(backend)

    def names(self) -> list[str]:
        """What the models are called, the default first."""
        return list(self._all)

    def get(self, name: str = "") -> Backend:
        """A model by its name, the default without one; its first use loads it.

        The default run's models need no run before their name (`tuned` for `site/tuned`), and `quantised` is the
        run's first file. Raises ApiError 404 for a name that nothing has.
        """
        default = self._all[self.default]
        named = "" if name == "quantised" and default.model.quantisation else name
        found = self._all.get(named or self.default) or self._all.get(f"{self.default}/{named}")
        if found is None:
            have = ", ".join(repr(own) for own in self._all)
            text = f"the model {name[:100]!r} does not exist; this server has {have}"
            raise ApiError(404, text, "model_not_found", "model")
        return found

    async def loaded(self, backend: Backend) -> None:
        """Have a model loaded and wait a while for it. Raises ApiError 503 when it is not there then."""
        end = time.monotonic() + self._patience
        self._begin(backend)
        while backend.loading and time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
        backend.ready()

    def start(self) -> None:
        """Begin to load the default model; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._begin(self._all[self.default])

    async def idle(self, seconds: float) -> None:
        """Wait until nobody is being answered, at most so long."""
        end = asyncio.get_running_loop().time() + seconds
        while any(b.turnstile.inside for b in self._all.values()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Wait for a load that is under way (a thread cannot be cancelled), then let every model go."""
        self._loop = None
        for task in list(self._tasks.values()):
            await task
        for backend in self._all.values():
            await backend.unload()

    def _wake(self, backend: Backend) -> None:
        """Have a model loaded; handlers call this from any thread."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._begin, backend)

    def _begin(self, backend: Backend) -> None:
        if self._loop and not backend.loading and backend.state != "ok":
            backend.loading = True
            task = self._tasks[backend.model.name] = asyncio.create_task(self._load(backend))
            task.add_done_callback(lambda _: self._tasks.pop(backend.model.name, None))

    async def _load(self, backend: Backend) -> None:
        try:
            async with self._one_at_a_time:
                await self._make_room(backend)
                await backend.load()
        finally:
            backend.loading = False

    async def _make_room(self, backend: Backend) -> None:
        """Unload what was not used for longest until the model fits; a model that is answering is waited for."""
        if self._limit:
            backend.bytes = await asyncio.to_thread(self._size, backend.model)
        while self._loop and self._limit:
            others = [b for b in self._all.values() if b.state == "ok"]
            if not others or backend.bytes + sum(b.bytes for b in others) <= self._limit:
                return
            free = [b for b in others if not b.turnstile.inside and b.model.kind != "openai"]
            if free:
                oldest = min(free, key=lambda b: b.used)
                console.say(f"  memory is short: {oldest.model.name} is unloaded for {backend.model.name}")
                await oldest.unload()
            else:
                await asyncio.sleep(POLL_SECONDS)

    def _show(self, backend: Backend) -> None:
        """Let the metrics look at a model whenever they are read."""
        gauges, name, turnstile = self.metrics, backend.model.name, backend.turnstile
        gauges.running.labels(name).set_function(lambda: turnstile.running)
        gauges.waiting.labels(name).set_function(lambda: turnstile.waiting)
        gauges.loaded.labels(name).set_function(lambda: backend.state == "ok")
