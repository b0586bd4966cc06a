"""GET /prompt/{query}: one question, one answer, for a shell or a script."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from ozfig.serve.backend import Backend
from ozfig.serve.depends import TheModels, TheReplies, TheSettings, unless_gone
from ozfig.serve.problems import ApiError
from ozfig.serve.replies import Replies, Reply
from ozfig.serve.shapes import USUAL, problems
from ozfig.types import Message

router = APIRouter(tags=["Prompt"])
REPLIES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}, **problems(*USUAL)}


class PromptReply(BaseModel):
    """`sources` are what the model was shown, `notes` what could not be had, such as web results."""

    answer: str
    sources: list[dict[str, Any]]
    model: str
    seconds: float
    notes: list[str]


class Wanted(BaseModel):
    """`web` and `documents`: whether to answer from them; what is not said is as the recipe has it."""

    web: bool | None = None
    documents: bool | None = None
    model: str = ""
    stream: bool = False


@router.get("/prompt/{query:path}", summary="Ask one question", response_model=PromptReply, responses=REPLIES)
async def prompt(
    query: str,
    request: Request,
    models: TheModels,
    settings: TheSettings,
    replies: TheReplies,
    wanted: Annotated[Wanted, Query()],
) -> Any:
    """The answer as JSON, as text where `Accept` prefers text/plain, or as a text stream."""
    began = time.monotonic()
    if not query.strip():
        raise ApiError(400, "write a question into the address: /prompt/who%20are%20you", "invalid_value")
    backend = models.get(wanted.model)
    chosen: dict[str, Any] = {"system": settings.prompt_system, "web": replies.section.web.prompt}
    chosen |= wanted.model_dump(include={"web", "documents"}, exclude_none=True)
    reply = await replies.begin(backend, [Message("user", query)], chosen)
    await unless_gone(request, replies.enrich(backend, reply))
    if wanted.stream:
        pieces = _pieces(replies, backend, reply)
        first = await unless_gone(request, anext(pieces))  # a refusal is a status, not a broken stream
        return StreamingResponse(_chain(first, pieces), media_type="text/plain; charset=utf-8")
    await unless_gone(request, _whole(replies, backend, reply))
    answer = reply.text.strip()
    if prefers_text(request.headers.get("accept", "")):
        return PlainTextResponse(f"{answer}\n{listed(reply)}")
    seconds = round(time.monotonic() - began, 3)
    return PromptReply(
        answer=answer, sources=reply.sources, model=backend.model.name, seconds=seconds, notes=reply.notes
    )


async def _whole(replies: Replies, backend: Backend, reply: Reply) -> None:
    async with aclosing(replies.stream(backend, reply)) as pieces:
        async for _ in pieces:
            pass


async def _chain(first: str, rest: AsyncGenerator[str]) -> AsyncGenerator[str]:
    yield first
    async with aclosing(rest):
        async for piece in rest:
            yield piece


async def _pieces(replies: Replies, backend: Backend, reply: Reply) -> AsyncGenerator[str]:
    async with aclosing(replies.stream(backend, reply)) as pieces:
        async for piece in pieces:
            if piece:
                yield piece
    yield f"\n{listed(reply)}"


def listed(reply: Reply) -> str:
    """The sources that an answer cites, as lines of text below it."""
    lines = [f"[{row['number']}] {row['title']}  {row['url']}\n" for row in reply.sources if row["cited"]]
    return "".join(["\n", *lines]) if lines else ""


def prefers_text(accept: str) -> bool:
    """Whether an Accept header ranks text/plain above JSON (RFC 9110, 12.5.1)."""
    ranks = {"text/plain": 0.0, "application/json": 0.0, "*/*": 0.0}
    for item in accept.split(","):
        kind, *parameters = (part.strip() for part in item.lower().split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if kind in ranks:
            ranks[kind] = float(weight) if weight.replace(".", "", 1).isdigit() else 0.0
    return ranks["text/plain"] > max(ranks["application/json"], ranks["*/*"])
