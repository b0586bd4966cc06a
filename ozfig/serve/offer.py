"""From what a command names to what answers: a backend for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from ozfig.engines.openai import Endpoint
from ozfig.engines.weights import fetch, is_address
from ozfig.errors import UserError
from ozfig.recipe import OtherModel, Serve
from ozfig.serve import memory
from ozfig.serve.backend import Backend, Launch, Server, Told
from ozfig.serve.engine import EngineBackend
from ozfig.serve.models import Models
from ozfig.serve.remote import RemoteBackend
from ozfig.serve.turnstile import Turnstile
from ozfig.types import ModelRef


class Offer:
    """Makes backends by a recipe's section; `on_failure` is called when the default model cannot be loaded."""

    def __init__(self, section: Serve, on_failure: Callable[[], None]) -> None:
        self._section, self._on_failure = section, on_failure

    def models(self, refs: Sequence[ModelRef]) -> Models:
        """The models of a command, the default first, then the recipe's others.

        Raises UserError for a file that is missing or two models of one name.
        """
        section = self._section
        backends = [self._own(ref, self._on_failure if i == 0 else _nothing) for i, ref in enumerate(refs)]
        backends += [self._other(other) for other in section.models]
        names = [backend.model.name for backend in backends]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f"two models are called {twice!r}; give one another name")
        return Models(
            backends,
            memory.limit(section.memory),
            lambda ref: memory.needed(ref, section.context, section.parallel),
        )

    def _own(self, ref: ModelRef, on_failure: Callable[[], None]) -> Backend:
        """What answers for a model on this disk: llama.cpp for a GGUF file, else the model's own engine."""
        if ref.kind == "gguf":
            if not is_address(ref.path):
                check_gguf(Path(ref.path))
            return Backend(ref, launcher(ref, self._section), on_failure, self._turnstile())
        if ref.kind == "openai":
            return self._other(OtherModel(name=ref.name, model=ref.path))
        return EngineBackend(ref, on_failure, self._section.queue)

    def _other(self, other: OtherModel) -> Backend:
        """What answers for a model that the recipe names."""
        if other.is_remote:
            endpoint = Endpoint(other.model, other.served_as, other.key_env, retries=0, timeout=30)
            ref = ModelRef("openai", other.model, other.name)
            return RemoteBackend(ref, endpoint, self._section.context, self._turnstile())
        if other.file:
            return self._own(ModelRef("gguf", str(other.file), other.name), _nothing)

        def find() -> ModelRef:
            from ozfig.engines.resolve import resolve

            return replace(resolve(other.model), name=other.name)

        return EngineBackend(ModelRef("transformers", other.model, other.name), _nothing, self._section.queue, find)

    def _turnstile(self) -> Turnstile:
        return Turnstile(self._section.parallel, self._section.queue)


def launcher(model: ModelRef, section: Serve) -> Launch:
    """What starts llama.cpp's server for a model; a file that is elsewhere is fetched first."""

    def launch(told: Told) -> AbstractContextManager[Server]:
        from ozfig.engines.gguf import LlamaServer, trained_context

        path = fetch(model.path, lambda done, total: told(_far(done, total))) if is_address(model.path) else model.path
        told("")
        context = min(section.context, trained_context(Path(path)))
        return LlamaServer(path, context=context, slots=section.parallel, threads=section.threads)

    return launch


def _far(done: int, total: int) -> str:
    """How far a download is, in words."""
    return f"downloading, {done / 1e6:,.0f} MB" + (f" of {total / 1e6:,.0f} ({done / total:.0%})" if total else "")


def check_gguf(path: Path) -> None:
    """Raises UserError when a file is missing or no GGUF (its first four bytes say so)."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a run folder or a .gguf file")
    with path.open("rb") as data:
        if data.read(4) != b"GGUF":
            raise UserError(f"{path}: not a GGUF file")


def _nothing() -> None:
    """The failure of a model that is not the default is told to who asks it."""
