"""The chat page and what its script calls to look after conversations. Asking is in `asking`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from ozfig.serve import exporting
from ozfig.serve.asking import NO_STORE, Question
from ozfig.serve.chosen import Chosen, Line
from ozfig.serve.depends import TheAnswers, TheModels, ThePages, TheStore
from ozfig.serve.problems import ApiError
from ozfig.store.database import Store
from ozfig.store.models import Conversation, Kind

router = APIRouter(include_in_schema=False)


class Title(BaseModel):
    """A conversation's name."""

    title: Line


class First(BaseModel):
    """The first question of a conversation, and what was set before it."""

    content: Question
    settings: Chosen = Chosen()


@router.get("/")
def start(pages: ThePages, store: TheStore) -> HTMLResponse:
    """The empty chat page."""
    return HTMLResponse(pages.chat(store.conversations(), None), headers=NO_STORE)


@router.get("/chat")
def listing(pages: ThePages, store: TheStore, search: str = "", current: str = "", kind: Kind = "chat") -> HTMLResponse:
    """The list at the side as a piece of HTML."""
    return HTMLResponse(pages.listing(store.conversations(search, kind), current, search, kind), headers=NO_STORE)


@router.post("/chat", status_code=201)
async def create(body: First, models: TheModels, store: TheStore) -> dict[str, str]:
    """A new conversation, named after its first question. Raises ApiError 503 while the model loads."""
    backend = models.get(body.settings.model or "")
    await models.loaded(backend)
    row = await asyncio.to_thread(store.create, body.content, backend.model.name, settings=body.settings.kept())
    return {"id": row.id, "title": row.title}


@router.get("/chat/{conversation}")
def show(conversation: str, pages: ThePages, store: TheStore) -> HTMLResponse:
    """The chat page with a conversation as it is stored."""
    row = of_kind(store, conversation, "chat")
    page = pages.chat(store.conversations(), row, missing=row is None)
    return HTMLResponse(page, 200 if row else 404, headers=NO_STORE)


@router.patch("/chat/{conversation}")
def rename(conversation: str, body: Title, store: TheStore) -> dict[str, str]:
    """Another title."""
    if not store.rename(conversation, body.title):
        raise missing()
    return {"id": conversation, "title": body.title}


@router.put("/chat/{conversation}/settings", status_code=204)
def configure(conversation: str, body: Chosen, store: TheStore) -> None:
    """What the next answers are written with."""
    compared = {k: v for k, v in found(store, conversation).settings.items() if k == "models"}
    store.configure(conversation, {**body.kept(), **compared})


@router.get("/chat/{conversation}/export")
def export(
    conversation: str, store: TheStore, kind: Annotated[Literal["markdown", "json"], Query(alias="format")] = "markdown"
) -> Response:
    """A conversation to keep: Markdown as it is read, or JSON with everything that is stored."""
    chat = found(store, conversation)
    if kind == "json":
        text, media, ending = exporting.as_json(chat), "application/json", "json"
    else:
        text, media, ending = exporting.as_markdown(chat), "text/markdown; charset=utf-8", "md"
    disposition = f'attachment; filename="{exporting.file_name(chat.title)}.{ending}"'
    return Response(text, media_type=media, headers={**NO_STORE, "Content-Disposition": disposition})


@router.delete("/chat/{conversation}", status_code=204)
async def delete(conversation: str, answers: TheAnswers, store: TheStore) -> None:
    """Remove a conversation; an answer that is being written is cut first."""
    await answers.stop(conversation)
    if not await asyncio.to_thread(store.delete, conversation):
        raise missing()


def of_kind(store: Store, conversation: str, kind: Kind) -> Conversation | None:
    """A conversation that a page can show."""
    row = store.get(conversation)
    return row if row and row.kind == kind else None


def found(store: Store, conversation: str) -> Conversation:
    """A conversation. Raises ApiError 404."""
    if chat := store.get(conversation):
        return chat
    raise missing()


def missing() -> ApiError:
    """What is said of a conversation that is not there."""
    return ApiError(404, "this conversation does not exist", "conversation_not_found")
