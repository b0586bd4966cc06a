"""Models that Transformers run (encoder-decoders, encoders, adapters, folders) behind the same API, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from ozfig import prompts
from ozfig.engines.base import Decoding
from ozfig.errors import UserError
from ozfig.serve.backend import CHAT, Backend
from ozfig.serve.problems import ApiError
from ozfig.serve.turnstile import Turnstile
from ozfig.types import Message, ModelRef

NEEDS_PASSAGE = "this model marks the answer in a passage: write the passage, an empty line, then the question"
NO_ANSWER = "The passage does not answer this."
Event = str | dict[str, Any] | Exception


class EngineBackend(Backend):
    """Asks an engine in this process, one question at a time. It decodes greedily, whatever the request samples by."""

    def __init__(
        self,
        model: ModelRef,
        on_failure: Callable[[], None] = lambda: None,
        queue: int = 64,
        find: Callable[[], ModelRef] | None = None,
    ) -> None:
        """`find` gives the model's files when it is loaded, where getting them takes long (a hub id)."""
        super().__init__(model, find or (lambda: model), on_failure, Turnstile(1, queue))
        self.replies_in_context = not model.head
        self._turn = asyncio.Lock()
        self._writers: set[asyncio.Task[None]] = set()

    async def count(self, messages: Sequence[Message]) -> int:
        """How many tokens the messages' texts have for the model's tokenizer."""
        return sum(self._tokens(m.content) for m in messages)

    async def _complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        text, end = "", {}
        async with aclosing(self._batches(path, body)) as batches:
            async for [chunk] in batches:
                (choice,) = chunk["choices"]
                text += choice.get("text") or choice.get("delta", {}).get("content") or ""
                end = chunk
        said = {"message": {"role": "assistant", "content": text}} if path == CHAT else {"text": text}
        return {"choices": [{**end["choices"][0], **said}], "usage": end["usage"]}

    async def _batches(self, path: str, body: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]]]:
        """The reply as it is written, then its end and its usage. Raises ApiError 400 for what cannot be asked."""
        messages, gone = self._asked(path, body), threading.Event()
        stop = body.get("stop") or ()
        decoding = Decoding(body["max_tokens"], 1, (stop,) if isinstance(stop, str) else tuple(stop))
        events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def emit(event: Event) -> bool:
            loop.call_soon_threadsafe(events.put_nowait, event)
            return not gone.is_set()

        # a task of its own: it keeps its turn until the thread has ended, also when who asked is gone
        writer = asyncio.create_task(self._write(self.ready(), messages, decoding, emit, gone))
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)
        try:
            while True:
                event = await events.get()
                if isinstance(event, Exception):
                    raise event
                yield [_chunk(path, event)]
                if isinstance(event, dict):
                    return
        finally:
            gone.set()

    async def _write(
        self, engine: Any, messages: list[Message], decoding: Decoding, emit: Callable[[Event], bool], gone: Any
    ) -> None:
        """Let the engine write in a thread; its last event is the end, or what went wrong."""
        write = self._mark if self.model.head == "span" else _write
        async with self._turn:
            if gone.is_set():
                return
            try:
                emit(await asyncio.to_thread(write, engine, messages, decoding, emit))
            except UserError as error:
                emit(ApiError(400, str(error), "invalid_value", "messages"))
            except Exception as error:
                emit(error)

    def _mark(self, engine: Any, messages: list[Message], decoding: Decoding, emit: Callable[[Event], bool]) -> Event:
        """The answer of a model that marks it in a passage: one piece."""
        [text] = engine.generate([messages], decoding)
        emit(text or NO_ANSWER)
        return _end(sum(self._tokens(m.content) for m in messages), self._tokens(text or NO_ANSWER), False)

    def _asked(self, path: str, body: dict[str, Any]) -> list[Message]:
        """The conversation of a request; a bare prompt is a user's turn."""
        if path != CHAT and not isinstance(body["prompt"], str):
            raise ApiError(400, "prompt: this model takes text, no token ids", "invalid_value", "prompt")
        rows = body["messages"] if path == CHAT else [{"role": "user", "content": body["prompt"]}]
        if self.model.head == "span" and not prompts.taken_apart(rows[-1]["content"])[0]:
            raise ApiError(400, NEEDS_PASSAGE, "invalid_value", "messages")
        return [Message(m["role"], m["content"]) for m in rows]

    def _tokens(self, text: str) -> int:
        return len(self.ready().tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    async def _open(self) -> Any:
        def engine() -> Any:
            from ozfig.engines.opening import load

            self.model = self._launch()
            return load(self.model)

        opened = await asyncio.to_thread(engine)
        self.replies_in_context, self.context = not self.model.head, opened.context
        return opened


def _write(engine: Any, messages: list[Message], decoding: Decoding, emit: Callable[[Event], bool]) -> Event:
    """A reply token by token."""
    from ozfig.engines.streaming import write

    written = write(engine, messages, decoding, emit)
    return _end(written.prompt, written.tokens, written.cut)


def _end(prompt: int, tokens: int, cut: bool) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    return {"finish_reason": "length" if cut else "stop", "usage": usage}


def _chunk(path: str, event: str | dict[str, Any]) -> dict[str, Any]:
    """An event in OpenAI's shape."""
    text, end = (event, None) if isinstance(event, str) else ("", event)
    said: dict[str, Any] = {"text": text}
    if path == CHAT:
        said = {"delta": {"content": text} if text else {}}
    choice = {"index": 0, "finish_reason": end and end["finish_reason"], **said}
    return {"choices": [choice], **({"usage": end["usage"]} if end else {})}
