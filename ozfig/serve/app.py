"""The server: an app made of parts that are handed in, and the command that runs it."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from ozfig import __version__, console
from ozfig.errors import OutsideError, OzfigError, UserError
from ozfig.recipe import Recipe, Serve
from ozfig.serve import (
    asking,
    comparing,
    conversations,
    embeddings,
    feedback,
    health,
    login,
    openai,
    problems,
    prompt,
    speech,
    studio,
)
from ozfig.serve.answers import ALIVE_SECONDS, Answers
from ozfig.serve.depends import ThePages
from ozfig.serve.documents import Documents
from ozfig.serve.guard import Guard
from ozfig.serve.login import Sessions
from ozfig.serve.metrics import Journal, standard_error
from ozfig.serve.models import Models
from ozfig.serve.offer import Offer
from ozfig.serve.pages import STATIC, Features, Pages
from ozfig.serve.polish import Polisher
from ozfig.serve.replies import Replies
from ozfig.serve.settings import Settings
from ozfig.serve.sources import Sources
from ozfig.serve.studio.home import around
from ozfig.store.database import Store
from ozfig.types import ModelRef

GRACE_SECONDS = 30  # for streams to end after the first Ctrl-C; the second one ends them


def create_app(models: Models, settings: Settings, store: Store, replies: Replies | None = None) -> FastAPI:
    """The app. It starts and stops the models and closes `replies`; the store stays its maker's."""
    replies = replies or Replies(settings)
    section = replies.section

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        store.mark_interrupted(ALIVE_SECONDS)
        models.start()
        yield
        await models.idle(GRACE_SECONDS)
        await app.state.answers.close()
        await app.state.replies.close()
        await models.stop()

    app = FastAPI(title="ozfig", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.models, app.state.settings, app.state.store = models, settings, store
    app.state.replies = replies
    app.state.answers = Answers(models, replies, store)
    app.state.encoder = embeddings.Encoder(section.queue)
    app.state.speech = speech.Speech(section.transcribe, section.queue)
    features = Features(*replies.offered(), app.state.speech.section is not None)
    app.state.pages = Pages(settings, models, features)
    app.state.sessions = Sessions(settings.password)
    for part in (openai, embeddings, speech, prompt, health, conversations, asking, comparing, feedback, login):
        app.include_router(part.router)
    studio.install(app, around(models.get().model))
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Guard, settings=settings, sessions=app.state.sessions)
    out = standard_error if settings.log else lambda: None
    app.add_middleware(Journal, metrics=models.metrics, prompts=settings.log_prompts, out=out)
    problems.install(app)
    return app


def docs(pages: ThePages) -> HTMLResponse:
    """Swagger UI, from this server alone."""
    return HTMLResponse(pages.docs())


def serve(
    served: Sequence[ModelRef],
    recipe: Recipe | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    database: str = "",
    questions: Sequence[str] = (),
    run: Path | None = None,
) -> None:
    """Serve models until Ctrl-C, the first as the default, by a run's recipe or with the defaults and no system text.

    `run` is the default's run folder, whose documents are searched. Port 0 takes a free one; `questions` are shown as
    examples on an empty page. Raises UserError for a missing file, an unsafe address or a busy port, and what kept the
    model from loading.
    """
    section = recipe.serve if recipe else Serve.model_validate({})
    settings = Settings.make(section, recipe.system if recipe else "", questions, host)
    if recipe:
        settings = replace(settings, prompt_system=recipe.system)
    replies = _replies(settings, section, run)
    offer = Offer(section, on_failure=lambda: setattr(server, "should_exit", True))
    models = offer.models(served)
    store = Store.open(database)
    listener = listen(host, port)
    app = create_app(models, settings, store, replies)
    config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=GRACE_SECONDS)
    server = uvicorn.Server(config)
    _announce(models, host, listener.getsockname()[1])
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        console.say("stopped")
    finally:
        listener.close()
        store.close()
    error = models.get().error
    if isinstance(error, OzfigError):
        raise error
    if error:
        raise OutsideError(f"{served[0].path}: the model could not be loaded: {error}")


def _replies(settings: Settings, section: Serve, run: Path | None) -> Replies:
    """What answers are made with besides the model. Raises UserError for a second model that is not there."""
    sources = Sources(section, Documents(run, section.retrieve))
    return Replies(settings, section, sources, Polisher(section.polish) if section.polish.model else None)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises UserError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = (error.strerror if isinstance(error, OSError) else "") or str(error).removeprefix("bind(): ")
        raise UserError(f"{host}:{port}: {why.rstrip('.')}; choose another with --port") from None
    return listener


def _announce(models: Models, host: str, port: int) -> None:
    name, model = f"[{host}]" if ":" in host else host, models.get().model
    quantisation = f" {model.quantisation}" if model.quantisation else ""
    console.say(f"[bold]serve[/bold]  {model.name}{quantisation}")
    if others := models.names()[1:]:
        console.say(f"  also  {', '.join(others)}")
    for what, path in (("chat", "/"), ("API", "/v1"), ("docs", "/docs")):
        console.say(f"  {what:<5} http://{name}:{port}{path}")
