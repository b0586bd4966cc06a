"""The same question to two or three models side by side. Asking and following are the chat's (`asking`)."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import Field

from ozfig.serve.asking import NO_STORE
from ozfig.serve.chosen import Line
from ozfig.serve.conversations import First, of_kind
from ozfig.serve.depends import TheModels, ThePages, TheStore
from ozfig.serve.problems import ApiError

router = APIRouter(include_in_schema=False)


class Compared(First):
    """The first question, and who answers it."""

    models: Annotated[list[Line], Field(min_length=2, max_length=3)]


@router.get("/compare")
def start(pages: ThePages, store: TheStore) -> HTMLResponse:
    """The empty page."""
    return HTMLResponse(pages.compare(store.conversations(kind="compare"), None), headers=NO_STORE)


@router.post("/compare", status_code=201)
async def create(body: Compared, models: TheModels, store: TheStore) -> dict[str, str]:
    """A new comparison. Raises ApiError 400 for a model named twice, 404 for an unknown one, 503 while one loads."""
    if len(set(body.models)) < len(body.models):
        raise ApiError(400, "models: choose different ones", "invalid_value", "models")
    for backend in [models.get(name) for name in body.models]:
        await models.loaded(backend)
    settings = {**body.settings.kept(), "models": body.models}
    names = ", ".join(body.models)[:200]
    row = await asyncio.to_thread(store.create, body.content, names, "compare", settings)
    return {"id": row.id, "title": row.title}


@router.get("/compare/{conversation}")
def show(conversation: str, pages: ThePages, store: TheStore) -> HTMLResponse:
    """The page with a comparison as it is stored."""
    row = of_kind(store, conversation, "compare")
    page = pages.compare(store.conversations(kind="compare"), row, missing=row is None)
    return HTMLResponse(page, 200 if row else 404, headers=NO_STORE)
