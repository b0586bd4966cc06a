"""Answers of the chat page while they are written: one writer each, any number of readers.

An answer belongs to the server, not to the page that asked: a reload or a closed tab loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from sqlalchemy.exc import SQLAlchemyError

from ozfig.serve.backend import Backend
from ozfig.serve.context import history
from ozfig.serve.models import Models
from ozfig.serve.problems import ApiError
from ozfig.serve.replies import Replies, Reply
from ozfig.store.database import Store
from ozfig.store.models import Conversation, Status
from ozfig.store.models import Message as Stored
from ozfig.types import Message

SAVE_SECONDS = 1.0
ALIVE_SECONDS = 30  # an answer that was not saved for so long is written by no server any more


class Answer:
    """The text so far of one answer. `asked` and `message` are the ids of the stored question and answer.

    `places` are where it looks before its first word, such as the web; `found` is whether it has looked.
    """

    def __init__(self, asked: int, message: int, backend: Backend, reply: Reply, places: Sequence[str] = ()) -> None:
        self.asked, self.message, self.backend, self.reply = asked, message, backend, reply
        self.places, self.found = places, not places
        self.text, self.error = "", ""
        self.began, self.done = time.monotonic(), False
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def grow(self, piece: str) -> None:
        """Append what the model wrote."""
        self.text += piece
        await self._tell()

    async def prepared(self) -> None:
        """Say that it has looked where it was to."""
        self.found = True
        await self._tell()

    async def looked(self) -> None:
        """Wait until it has looked, or until it has ended without."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.found or self.done)

    async def end(self) -> None:
        """Say that nothing more will come."""
        self.done = True
        await self._tell()

    async def follow(self) -> AsyncGenerator[str]:
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
    """Every answer that is being written: those of one question at a time in each conversation."""

    def __init__(self, models: Models, replies: Replies, store: Store) -> None:
        self._models, self._replies, self._store = models, replies, store
        self._live: dict[str, list[Answer]] = {}

    def of(self, conversation: str) -> list[Answer]:
        """The answers that are being written in a conversation: none, one, or one of each compared model."""
        return list(self._live.get(conversation, []))

    async def ask(self, conversation: str, question: str = "", since: int = 0) -> list[Answer]:
        """Store a question and begin its answers: one, or one of each model that the conversation compares.

        `since` takes a message and what follows it out of the chat: a question to be replaced by this one, or an
        answer to be written again, then without a question. Raises ApiError: 404 no such conversation or message,
        409 one is being written, 400 too long, 503 not loaded.
        """
        if conversation in self._live:
            raise ApiError(409, "an answer is being written; stop it first", "busy")
        # taken before the first await: what is read here must not be changed by another tab meanwhile
        self._live[conversation] = []
        try:
            self._live[conversation] = await self._begin(conversation, question, since)
            return self.of(conversation)
        finally:
            if not self._live.get(conversation):
                self._live.pop(conversation, None)

    async def _begin(self, conversation: str, question: str, since: int) -> list[Answer]:
        chat = await asyncio.to_thread(self._store.get, conversation)
        if chat is None:
            raise ApiError(404, "this conversation does not exist", "conversation_not_found")
        before, asked = _before(chat, question, since)
        names = chosen_models(chat, self._models)
        begun = [await self._prepare(name, chat, before, question or asked.content) for name in names]
        if since:
            self._store.supersede(conversation, since)
        key = self._store.add(conversation, "user", question).id if question else asked.id
        return [self._launch(conversation, key, *one) for one in begun]

    async def _prepare(
        self, name: str, chat: Conversation, before: Sequence[Stored], question: str
    ) -> tuple[Backend, Reply]:
        """A model, and its answer to come."""
        backend = self._models.get(name)
        await self._models.loaded(backend)
        own = [m for m in before if m.role == "user" or chat.kind == "chat" or m.model == name]
        turns = [*history([Message(m.role, m.content) for m in own]), Message("user", question)]  # type: ignore[arg-type]
        return backend, await self._replies.begin(backend, turns, chat.settings)

    def _launch(self, conversation: str, asked: int, backend: Backend, reply: Reply) -> Answer:
        fields = {"model": backend.model.name, "model_sha256": backend.model.sha256, "left_out": reply.left_out}
        row = self._store.add(conversation, "assistant", "", "streaming", **fields)
        answer = Answer(asked, row.id, backend, reply, places(self._replies, reply))
        answer.task = asyncio.create_task(self._write(conversation, answer))
        return answer

    async def stop(self, conversation: str) -> bool:
        """Cut the answers of a conversation; false when none is being written."""
        answers = self.of(conversation)
        for answer in answers:
            if answer.task:
                answer.task.cancel()
                await asyncio.gather(answer.task, return_exceptions=True)
            if not answer.done:  # a task that is cancelled before its first step runs none of its code
                await self._finish(conversation, answer, "interrupted")
        return bool(answers)

    async def close(self) -> None:
        """Cut and keep every answer that is being written."""
        for conversation in list(self._live):
            await self.stop(conversation)

    async def _write(self, conversation: str, answer: Answer) -> None:
        status: Status = "interrupted"
        saving = asyncio.create_task(self._keep_saving(answer))
        try:
            await self._receive(answer)
            status = "complete"
        except ApiError as error:
            answer.error = error.message
        except Exception as error:
            answer.error = f"the model server stopped answering ({type(error).__name__})"
        finally:
            saving.cancel()
            await self._finish(conversation, answer, status)

    async def _keep_saving(self, answer: Answer) -> None:
        """Keep the text so far, also while there is none: other servers on the database see that somebody writes."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await asyncio.to_thread(self._store.save, answer.message, answer.reply.text)
            except SQLAlchemyError:
                continue  # the next second may be better, and the end says whether it could be kept

    async def _finish(self, conversation: str, answer: Answer, status: Status) -> None:
        reply, seconds = answer.reply, round(time.monotonic() - answer.began, 3)
        fields = {"tokens": reply.tokens, "seconds": seconds, "left_out": reply.left_out, "sources": reply.sources}
        if status == "complete":
            fields |= {"raw": reply.raw}
        try:
            self._store.finish(answer.message, reply.text, status, details=reply.details(answer.backend), **fields)
        except Exception as error:
            answer.error = f"the answer could not be kept ({type(error).__name__})"
        if all(other.done for other in self.of(conversation) if other is not answer):
            self._live.pop(conversation, None)
        await answer.end()

    async def _receive(self, answer: Answer) -> None:
        await self._replies.enrich(answer.backend, answer.reply)
        await answer.prepared()
        async with aclosing(self._replies.stream(answer.backend, answer.reply)) as pieces:
            async for piece in pieces:
                if piece:
                    await answer.grow(piece)


def chosen_models(chat: Conversation, models: Models) -> list[str]:
    """The models that answer in a conversation; those that are gone are left out, and without any the default does."""
    wanted = chat.settings.get("models") or [chat.settings.get("model")]
    return [name for name in wanted if name in models.names()] or [models.default]


def places(replies: Replies, reply: Reply) -> list[str]:
    """Where an answer looks for sources: as its conversation says, else as the server does."""
    usual = zip(("the web", "the documents"), ("web", "documents"), replies.offered(), strict=True)
    return [name for name, key, on in usual if reply.chosen.get(key, on)]


def _before(chat: Conversation, question: str, since: int) -> tuple[list[Stored], Stored]:
    """The turns before a question that is new or asked again, and the question that was there last.

    Raises ApiError 404 where `since` is not what it should be: a question to edit, or an answer to write again.
    """
    current = [m for m in chat.messages if m.superseded is None]
    role = "user" if question else "assistant"
    if (since or not question) and not any(m.id == since and m.role == role for m in current):
        raise ApiError(404, "this message is not in the conversation any more", "message_not_found")
    before = [m for m in current if not since or m.id < since]
    questions = [m for m in before if m.role == "user"]
    if question:
        return before, questions[-1] if questions else Stored(content="")
    return [m for m in before if m.id < questions[-1].id], questions[-1]
