"""What a request handler may ask for: the app's own parts, by type."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from ozfig.serve.answers import Answers
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.pages import Pages
from ozfig.serve.problems import ApiError
from ozfig.serve.replies import Replies
from ozfig.serve.settings import Settings
from ozfig.store.database import Store

T = TypeVar("T")


def _part(name: str) -> Any:
    """Depends on a part of the app's state."""

    def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(read)


TheModels = Annotated[Models, _part("models")]
TheSettings = Annotated[Settings, _part("settings")]
TheStore = Annotated[Store, _part("store")]
TheAnswers = Annotated[Answers, _part("answers")]
TheReplies = Annotated[Replies, _part("replies")]
ThePages = Annotated[Pages, _part("pages")]


def _backend(models: TheModels) -> Backend:
    return models.get()


TheBackend = Annotated[Backend, Depends(_backend)]


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
