"""Answers of the chat page while they are written: one writer each, any number of readers.

An answer belongs to the server, not to the page that asked: a reload or a closed tab loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ozfig.serve.backend import Backend
from ozfig.serve.context import history
from ozfig.serve.models import Models
from ozfig.serve.problems import ApiError
from ozfig.serve.replies import Replies, Reply
from ozfig.store.database import Store
from ozfig.store.models import Status
from ozfig.types import Message

SAVE_SECONDS = 1.0


class Answer:
    """The text so far of one answer. `asked` and `message` are the ids of the stored question and answer."""

    def __init__(self, asked: int, message: int, backend: Backend, reply: Reply) -> None:
        self.asked, self.message, self.backend, self.reply = asked, message, backend, reply
        self.has_sources = False  # until it is known which there are
        self.text, self.error = "", ""
        self.began, self.done = time.monotonic(), False
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def grow(self, piece: str) -> None:
        """Append what the model wrote."""
        self.text += piece
        await self._tell()

    async def show_sources(self) -> None:
        """Say that the sources are known."""
        self.has_sources = True
        await self._tell()

    async def sources(self) -> list[dict[str, Any]]:
        """What the answer is drawn from, as soon as that is known."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.done or self.has_sources)
        return self.reply.sources

    async def end(self) -> None:
        """Say that nothing more will come."""
        self.done = True
        await self._tell()

    async def follow(self) -> AsyncIterator[str]:
        """The text from its beginning, in pieces, until the answer has ended."""
        seen = 0
        while not (self.done and seen == len(self.text)):
            async with self._changed:
                await self._changed.wait_for(lambda: self.done or len(self.text) > seen)  # noqa: B023
            piece = self.text[seen:]
            seen += len(piece)
            if piece:
                yield piece

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Answers:
    """Every answer that is being written, at most one a conversation."""

    def __init__(self, models: Models, replies: Replies, store: Store) -> None:
        self._models, self._replies, self._store = models, replies, store
        self._live: dict[str, Answer] = {}

    def of(self, conversation: str) -> Answer | None:
        """The answer that is being written in a conversation."""
        return self._live.get(conversation)

    async def ask(self, conversation: str, question: str) -> Answer:
        """Store a question and begin its answer.

        Raises ApiError: 404 no such conversation or model, 409 one is being written, 400 too long, 503 not loaded.
        """
        chat = await asyncio.to_thread(self._store.get, conversation)
        if chat is None:
            raise ApiError(404, "this conversation does not exist", "conversation_not_found")
        turns = history([Message(m.role, m.content) for m in chat.messages])  # type: ignore[arg-type]
        turns.append(Message("user", question))
        backend = self._models.get(str(chat.settings.get("model", "")))
        reply = await self._replies.begin(backend, turns, chat.settings)
        if conversation in self._live:
            raise ApiError(409, "an answer is being written; stop it first", "busy")
        # no await between the check and the entry, so that two tabs cannot both pass
        asked = self._store.add(conversation, "user", question)
        fields = {"model": backend.model.name, "model_sha256": backend.model.sha256, "left_out": reply.left_out}
        row = self._store.add(conversation, "assistant", "", "streaming", **fields)
        answer = self._live[conversation] = Answer(asked.id, row.id, backend, reply)
        answer.task = asyncio.create_task(self._write(conversation, answer))
        return answer

    async def stop(self, conversation: str) -> bool:
        """Cut the answer of a conversation; false when none is being written."""
        answer = self._live.get(conversation)
        if answer is None or answer.task is None:
            return False
        answer.task.cancel()
        await asyncio.gather(answer.task, return_exceptions=True)
        if not answer.done:  # a task that is cancelled before its first step runs none of its code
            await self._finish(conversation, answer, "interrupted")
        return True

    async def close(self) -> None:
        """Cut and keep every answer that is being written."""
        for conversation in list(self._live):
            await self.stop(conversation)

    async def _write(self, conversation: str, answer: Answer) -> None:
        status: Status = "interrupted"
        try:
            await self._receive(answer)
            status = "complete"
        except ApiError as error:
            answer.error = error.message
        except Exception as error:
            answer.error = f"the model server stopped answering ({type(error).__name__})"
        finally:
            await self._finish(conversation, answer, status)

    async def _finish(self, conversation: str, answer: Answer, status: Status) -> None:
        reply, seconds = answer.reply, round(time.monotonic() - answer.began, 3)
        fields = {"tokens": reply.tokens, "seconds": seconds, "left_out": reply.left_out, "sources": reply.sources}
        if status == "complete":
            fields |= {"raw": reply.raw}
        details = reply.details(answer.backend)
        self._store.finish(answer.message, reply.text, status, details=details, **fields)
        self._live.pop(conversation, None)
        await answer.end()

    async def _receive(self, answer: Answer) -> None:
        await self._replies.enrich(answer.backend, answer.reply)
        await answer.show_sources()
        saved = time.monotonic()
        async with aclosing(self._replies.stream(answer.backend, answer.reply)) as pieces:
            async for piece in pieces:
                if piece:
                    await answer.grow(piece)
                if time.monotonic() - saved >= SAVE_SECONDS:
                    saved = time.monotonic()
                    await asyncio.to_thread(self._store.save, answer.message, answer.reply.text)
