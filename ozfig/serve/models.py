"""Every model of a server by its name."""

from __future__ import annotations

from collections.abc import Sequence

from ozfig.serve.backend import Backend
from ozfig.serve.problems import ApiError


class Models:
    """The first is the default."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._all = {backend.model.name: backend for backend in backends}
        self.default = backends[0].model.name

    def names(self) -> list[str]:
        """What the models are called, the default first."""
        return list(self._all)

    def get(self, name: str = "") -> Backend:
        """A model by its name, the default without one. Raises ApiError 404 for a name that nothing has."""
        found = self._all.get(name or self.default)
        if found is None:
            raise ApiError(404, f"the model {name[:100]!r} does not exist", "model_not_found", "model")
        return found

    def start(self) -> None:
        """Begin to load the models; returns at once."""
        for backend in self._all.values():
            backend.start()

    async def stop(self) -> None:
        """Let every model go."""
        for backend in self._all.values():
            await backend.stop()
