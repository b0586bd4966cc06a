"""GET /prompt/{query}: one question, one answer, for a shell or a script."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from ozfig import prompts
from ozfig.serve.backend import CHAT, Backend, as_rows
from ozfig.serve.context import fit
from ozfig.serve.depends import TheBackend, TheSettings, unless_gone
from ozfig.serve.shapes import USUAL, problems

router = APIRouter(tags=["Prompt"])
REPLIES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}, **problems(*USUAL)}


class PromptReply(BaseModel):
    """`sources` are what the answer was drawn from; a model on its own has none."""

    answer: str
    model: str
    sources: list[dict[str, Any]]
    seconds: float


@router.get("/prompt/{query:path}", summary="Ask one question", response_model=PromptReply, responses=REPLIES)
async def prompt(query: str, request: Request, backend: TheBackend, settings: TheSettings, stream: bool = False) -> Any:
    """The answer as JSON, as text where `Accept` prefers text/plain, or as a text stream."""
    began = time.monotonic()
    question = prompts.ask(query)
    messages, _ = await fit(backend, question, settings.system, settings.max_tokens)
    body = {
        "messages": as_rows(messages),
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
    }
    if stream:
        return StreamingResponse(_pieces(backend, body), media_type="text/plain; charset=utf-8")
    reply = await unless_gone(request, backend.complete(CHAT, body))
    answer = str(reply["choices"][0]["message"]["content"] or "").strip()
    if prefers_text(request.headers.get("accept", "")):
        return PlainTextResponse(answer + "\n")
    seconds = round(time.monotonic() - began, 3)
    return PromptReply(answer=answer, model=backend.model.name, sources=[], seconds=seconds)


async def _pieces(backend: Backend, body: dict[str, Any]) -> AsyncGenerator[str]:
    async with aclosing(backend.stream(CHAT, body)) as chunks:
        async for chunk in chunks:
            for choice in chunk["choices"]:
                yield choice["delta"].get("content") or ""
    yield "\n"


def prefers_text(accept: str) -> bool:
    """Whether an Accept header ranks text/plain above JSON (RFC 9110, 12.5.1)."""
    ranks = {"text/plain": 0.0, "application/json": 0.0, "*/*": 0.0}
    for item in accept.split(","):
        kind, *parameters = (part.strip() for part in item.lower().split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if kind in ranks:
            ranks[kind] = float(weight) if weight.replace(".", "", 1).isdigit() else 0.0
    return ranks["text/plain"] > max(ranks["application/json"], ranks["*/*"])
