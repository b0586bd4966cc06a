"""What a request handler may ask for: the app's own parts, by type."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from ozfig.serve.answers import Answers
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.pages import Pages
from ozfig.serve.problems import ApiError
from ozfig.serve.settings import Settings
from ozfig.store.database import Store

T = TypeVar("T")


def _models(request: Request) -> Models:
    models: Models = request.app.state.models
    return models


def _backend(request: Request) -> Backend:
    return _models(request).get()


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _answers(request: Request) -> Answers:
    answers: Answers = request.app.state.answers
    return answers


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


TheModels = Annotated[Models, Depends(_models)]
TheBackend = Annotated[Backend, Depends(_backend)]
TheSettings = Annotated[Settings, Depends(_settings)]
TheStore = Annotated[Store, Depends(_store)]
TheAnswers = Annotated[Answers, Depends(_answers)]
ThePages = Annotated[Pages, Depends(_pages)]


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Do the work for a request whose body has been read; cancel it when the client hangs up."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(hang_up())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "the client hung up")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
