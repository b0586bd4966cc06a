"""The server: an app made of parts that are handed in, and the command that runs it."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from ozfig import __version__, console
from ozfig.errors import OutsideError, OzfigError, UserError
from ozfig.recipe import Recipe, Serve
from ozfig.serve import asking, comparing, conversations, feedback, openai, problems, prompt
from ozfig.serve.answers import Answers
from ozfig.serve.backend import Backend, Launch, Server
from ozfig.serve.depends import TheBackend, ThePages
from ozfig.serve.engine import EngineBackend
from ozfig.serve.guard import Guard
from ozfig.serve.models import Models
from ozfig.serve.pages import STATIC, Features, Pages
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef


def create_app(models: Models, settings: Settings, store: Store, features: Features | None = None) -> FastAPI:
    """The app. It starts and stops the models; the store stays its maker's. `features` are what the pages offer."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        store.mark_interrupted()
        models.start()
        yield
        await app.state.answers.close()
        await models.stop()

    app = FastAPI(title="ozfig", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.models, app.state.settings, app.state.store = models, settings, store
    app.state.answers = Answers(models, settings, store)
    app.state.pages = Pages(models, settings, features or Features())
    app.include_router(openai.router)
    app.include_router(prompt.router)
    for pages in (conversations, asking, comparing, feedback):
        app.include_router(pages.router)
    app.add_api_route("/health", health, tags=["Health"], summary="How the server is")
    app.add_api_route("/ready", ready, tags=["Health"], summary="Whether the model answers")
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Guard, settings=settings)
    problems.install(app)
    return app


def health(backend: TheBackend) -> JSONResponse:
    """ok, loading or failed (503)."""
    state = backend.state
    body = {"status": state, "model": backend.model.name, "loaded": state == "ok"}
    return JSONResponse(body, 503 if state == "failed" else 200)


def ready(backend: TheBackend) -> dict[str, str]:
    """200 once the model is loaded, 503 with Retry-After before."""
    backend.ready()
    return {"status": "ok"}


def docs(pages: ThePages) -> HTMLResponse:
    """Swagger UI, from this server alone."""
    return HTMLResponse(pages.docs())


def serve(
    model: ModelRef,
    recipe: Recipe | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    database: str = "",
    questions: Sequence[str] = (),
) -> None:
    """Serve a model until Ctrl-C, by a run's recipe or with the defaults and no system text.

    Port 0 takes a free one; `questions` are shown as examples on an empty page. Raises UserError for a
    missing file, an unsafe address or a busy port, and what kept the model from loading.
    """
    section = recipe.serve if recipe else Serve.model_validate({})
    settings = Settings.make(section, recipe.system if recipe else "", questions, host)
    if model.kind == "gguf":
        check_gguf(Path(model.path))
    store = Store.open(database)
    listener = _listen(host, port)
    backend = _backend(model, section, on_failure=lambda: setattr(server, "should_exit", True))
    app = create_app(Models([backend]), settings, store)
    config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    _announce(model, host, listener.getsockname()[1])
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        console.say("stopped")
    finally:
        listener.close()
        store.close()
    if isinstance(backend.error, OzfigError):
        raise backend.error
    if backend.error:
        raise OutsideError(f"{model.path}: the model could not be loaded: {backend.error}")


def _backend(model: ModelRef, section: Serve, on_failure: Callable[[], None]) -> Backend:
    """What answers for a model: llama.cpp for a GGUF file, else the model's own engine."""
    if model.kind == "gguf":
        return Backend(model, launcher(model, section), on_failure)
    return EngineBackend(model, on_failure)


def launcher(model: ModelRef, section: Serve) -> Launch:
    """What starts llama.cpp's server for a model."""

    def launch() -> AbstractContextManager[Server]:
        from ozfig.engines.gguf import LlamaServer, trained_context

        context = min(section.context, trained_context(Path(model.path)))
        return LlamaServer(model.path, context=context, slots=section.parallel, threads=section.threads)

    return launch


def check_gguf(path: Path) -> None:
    """Raises UserError when a file is missing or no GGUF (its first four bytes say so)."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a run folder or a .gguf file")
    with path.open("rb") as data:
        if data.read(4) != b"GGUF":
            raise UserError(f"{path}: not a GGUF file")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(f"{host}:{port}: {error.strerror or error}; choose another with --port") from None
    return listener


def _announce(model: ModelRef, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    quantisation = f" {model.quantisation}" if model.quantisation else ""
    console.say(f"[bold]serve[/bold]  {model.name}{quantisation}")
    for what, path in (("chat", "/"), ("API", "/v1"), ("docs", "/docs")):
        console.say(f"  {what:<5} http://{name}:{port}{path}")
