"""The chat page and what its script calls: conversations, and answers as server-sent events.

Events of an answer: `turns` (HTML of question and empty answer), `sources` (where there are any: a
list of number, title, url, text and kind), `text` (JSON strings, in pieces), `done` (HTML of the finished answer),
`failed` (one line; the saved part is in the HTML).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, StringConstraints

from ozfig.serve.answers import Answer
from ozfig.serve.depends import TheAnswers, TheBackend, ThePages, TheStore
from ozfig.serve.pages import Pages
from ozfig.serve.problems import ApiError
from ozfig.store.database import Store

router = APIRouter(include_in_schema=False)
NO_STORE = {"Cache-Control": "no-store"}
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]


class Title(BaseModel):
    """A conversation's name."""

    title: Line


class Asked(BaseModel):
    """What the user wrote."""

    content: Question


@router.get("/")
def start(pages: ThePages, store: TheStore) -> HTMLResponse:
    """The empty chat page."""
    return HTMLResponse(pages.chat(store.conversations(), None), headers=NO_STORE)


@router.get("/chat")
def listing(pages: ThePages, store: TheStore, search: str = "", current: str = "") -> HTMLResponse:
    """The list at the side as a piece of HTML."""
    return HTMLResponse(pages.listing(store.conversations(search), current, search), headers=NO_STORE)


@router.post("/chat", status_code=201)
def create(body: Asked, backend: TheBackend, store: TheStore) -> dict[str, str]:
    """A new conversation, named after its first question. Raises ApiError 503 while the model loads."""
    backend.ready()
    row = store.create(body.content, backend.model.name)
    return {"id": row.id, "title": row.title}


@router.get("/chat/{conversation}")
def show(conversation: str, pages: ThePages, store: TheStore) -> HTMLResponse:
    """The chat page with a conversation as it is stored."""
    row = store.get(conversation)
    page = pages.chat(store.conversations(), row, missing=row is None)
    return HTMLResponse(page, 200 if row else 404, headers=NO_STORE)


@router.patch("/chat/{conversation}")
def rename(conversation: str, body: Title, store: TheStore) -> dict[str, str]:
    """Another title."""
    if not store.rename(conversation, body.title):
        raise ApiError(404, "this conversation does not exist", "conversation_not_found")
    return {"id": conversation, "title": body.title}


@router.delete("/chat/{conversation}", status_code=204)
async def delete(conversation: str, answers: TheAnswers, store: TheStore) -> None:
    """Remove a conversation; an answer that is being written is cut first."""
    await answers.stop(conversation)
    if not await asyncio.to_thread(store.delete, conversation):
        raise ApiError(404, "this conversation does not exist", "conversation_not_found")


@router.post("/chat/{conversation}/messages")
async def ask(
    conversation: str, body: Asked, answers: TheAnswers, pages: ThePages, store: TheStore
) -> StreamingResponse:
    """Ask, and follow the answer."""
    answer = await answers.ask(conversation, body.content)
    return _stream(_events(answer, pages, store))


@router.get("/chat/{conversation}/stream")
async def follow(conversation: str, answers: TheAnswers, pages: ThePages, store: TheStore) -> Response:
    """Follow the answer that is being written, from its beginning; 204 when there is none."""
    answer = answers.of(conversation)
    return _stream(_events(answer, pages, store)) if answer else Response(status_code=204)


@router.post("/chat/{conversation}/stop", status_code=204)
async def stop(conversation: str, answers: TheAnswers) -> None:
    """Cut the answer that is being written; nothing happens when there is none."""
    await answers.stop(conversation)


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=NO_STORE)


async def _events(answer: Answer, pages: Pages, store: Store) -> AsyncIterator[str]:
    """The events of one answer for one reader."""
    rows = [await asyncio.to_thread(store.message, key) for key in (answer.asked, answer.message)]
    yield _event("turns", [pages.turn(row) for row in rows if row])
    if sources := await answer.sources():
        yield _event("sources", sources)
    async for piece in answer.follow():
        yield _event("text", piece)
    row = await asyncio.to_thread(store.message, answer.message)
    html = pages.turn(row) if row else ""
    yield _event("failed", {"html": html, "message": answer.error}) if answer.error else _event("done", {"html": html})


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
