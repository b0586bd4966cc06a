"""What asks and what follows an answer, for the chat and for comparisons: answers as server-sent events.

Events: `turns` (JSON: `since`, the first message that is no longer shown, and the HTML of question and empty
answers), `sources` (message, and the HTML of what is known before its first word: that it is looking, then the
sources themselves), `blocks` (message, from, html: the blocks of an answer that replace those after
the first `from`), `done` (message, html of the finished answer) and `failed` (the same and one line, `error`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints, model_validator

from ozfig.serve.answers import ALIVE_SECONDS, Answer
from ozfig.serve.depends import TheAnswers, ThePages, TheStore
from ozfig.serve.markdown import Growing
from ozfig.serve.pages import Pages
from ozfig.serve.turns import Round, rounds
from ozfig.store.database import Store
from ozfig.store.models import Conversation, Message

router = APIRouter(include_in_schema=False)
NO_STORE = {"Cache-Control": "no-store"}
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
FRAME_SECONDS = 0.06  # between two looks at a growing answer
SHARE = 8  # of a reader's time rendering takes one part at most


class Asked(BaseModel):
    """What the user wrote; `since` is the question that it replaces, or alone the answer to write again."""

    content: Question | None = None
    since: int = 0

    @model_validator(mode="after")
    def _something(self) -> Asked:
        if not self.content and not self.since:
            raise ValueError("content: write a question")
        return self


@router.post("/chat/{conversation}/messages")
async def ask(
    conversation: str, body: Asked, answers: TheAnswers, pages: ThePages, store: TheStore
) -> StreamingResponse:
    """Ask, ask again or change a question, and follow the answer."""
    begun = await answers.ask(conversation, body.content or "", body.since)
    return _stream(_events(conversation, begun, pages, store, body.since))


@router.get("/chat/{conversation}/stream")
async def follow(conversation: str, answers: TheAnswers, pages: ThePages, store: TheStore) -> Response:
    """Follow the answers that are being written, from their beginning; 204 when there are none."""
    if begun := answers.of(conversation):
        return _stream(_events(conversation, begun, pages, store))
    # what is still unfinished is written by another server on the database, or was when it died
    await asyncio.to_thread(store.mark_interrupted, ALIVE_SECONDS)
    return Response(status_code=204)


@router.post("/chat/{conversation}/stop", status_code=204)
async def stop(conversation: str, answers: TheAnswers) -> None:
    """Cut what is being written; nothing happens when nothing is."""
    await answers.stop(conversation)


def _stream(events: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=NO_STORE)


async def _events(
    conversation: str, answers: list[Answer], pages: Pages, store: Store, since: int = 0
) -> AsyncIterator[str]:
    """The events of the answers to one question, as they come, for one reader."""
    chat, asked = await asyncio.to_thread(_round_of, store, conversation, answers[0].asked)
    first = since or answers[0].asked
    yield _event("turns", {"since": min(first, answers[0].asked), "html": pages.round(asked, chat.kind)})
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def follow(answer: Answer) -> None:
        try:
            async with aclosing(_events_of(answer, pages, chat.kind)) as events:
                async for event in events:
                    queue.put_nowait(event)
            _, asked = await asyncio.to_thread(_round_of, store, conversation, answer.asked)
            queue.put_nowait(_last(answer, asked, pages, chat.kind))
        finally:
            queue.put_nowait(None)

    followers = [asyncio.create_task(follow(answer)) for answer in answers]
    try:
        running = len(followers)
        while running:
            event = await queue.get()
            if event is None:
                running -= 1
            else:
                yield event
        await asyncio.gather(*followers)
    finally:
        for follower in followers:
            follower.cancel()


async def _events_of(answer: Answer, pages: Pages, kind: str) -> AsyncGenerator[str]:
    """The sources of one answer, then its growing text as blocks of HTML, as often as rendering it leaves time for."""
    if not answer.found:
        yield _event("sources", {"message": answer.message, "html": pages.looking(answer.places)})
        await answer.looked()
    if answer.places:
        shown = pages.sources(answer.message, answer.reply.sources, kind)
        yield _event("sources", {"message": answer.message, "html": shown})
    growing = Growing(len(answer.reply.sources), f"source-{answer.message}-")
    async with aclosing(answer.follow()) as pieces:
        async for piece in pieces:
            began = time.monotonic()
            first, blocks = growing.feed(piece)
            yield _event("blocks", {"message": answer.message, "from": first, "html": blocks})
            # what is written meanwhile comes as one piece
            await asyncio.sleep(max(FRAME_SECONDS, SHARE * (time.monotonic() - began)))


def _last(answer: Answer, asked: Round, pages: Pages, kind: str) -> str:
    row = next((m for m in asked.answers if m.id == answer.message), None)
    told: dict[str, Any] = {"message": answer.message, "html": pages.turn(row, asked.former, kind) if row else ""}
    return _event("failed", {**told, "error": answer.error}) if answer.error else _event("done", told)


def _round_of(store: Store, conversation: str, question: int) -> tuple[Conversation, Round]:
    """A conversation, and the question with its answers; empty when it was deleted meanwhile."""
    chat = store.get(conversation) or Conversation(kind="chat", messages=[])
    found = (one for one in rounds(chat.messages) if one.question.id == question)
    return chat, next(found, Round(Message(id=question, role="user", content="")))


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
