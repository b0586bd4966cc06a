"""The model behind the API: llama.cpp's own server, started while ours already answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp

from ozfig.errors import OutsideError
from ozfig.serve.metrics import Metrics
from ozfig.serve.problems import ApiError, from_upstream
from ozfig.serve.turnstile import Turnstile
from ozfig.types import Message, ModelRef

CHAT = "/v1/chat/completions"


class Server(Protocol):
    """An OpenAI-compatible server of llama.cpp on a loopback port; `headers` bring its key."""

    base_url: str
    headers: dict[str, str]


Told = Callable[[str], None]  # what is being done while a model loads, in words
Launch = Callable[[Told], AbstractContextManager[Server]]


class Backend:
    """Owns the model server and the one HTTP client that speaks to it. It is loaded by `Models`, at its first use."""

    replies_in_context = True  # prompt and reply share the model's context

    def __init__(
        self,
        model: ModelRef,
        launch: Callable[..., Any],
        on_failure: Callable[[], None] = lambda: None,
        turnstile: Turnstile | None = None,
    ) -> None:
        """`launch` gives what answers once it is loaded: a `Launch`, unless a subclass asks something else."""
        self.model = model
        self.turnstile = turnstile or Turnstile(4, 64)
        self.metrics = Metrics()  # replaced by the app's
        self.wake: Callable[[], None] = lambda: None  # how a model that is not loaded asks to be
        self.error: Exception | None = None
        self.loading = False
        self.doing = ""  # what takes the time while it loads
        self.used = 0.0  # when it was last asked
        self.bytes = 0  # what it takes in memory, about
        self.context = 0
        path = Path(model.path)
        self.created = int(path.stat().st_mtime if path.exists() else time.time())
        self._launch, self._on_failure = launch, on_failure
        self._stack = AsyncExitStack()
        self._client: Any = None

    @property
    def state(self) -> Literal["idle", "loading", "ok", "failed"]:
        """How far the model is; idle: not in memory until somebody asks it."""
        if self._client:
            return "ok"
        return "loading" if self.loading else "failed" if self.error else "idle"

    async def load(self) -> None:
        """Bring the model into memory; what goes wrong is kept in `error`."""
        try:
            self._client = await self._open()
            self.error = None
        except Exception as error:
            await self._stack.aclose()
            self.error = error
            self._on_failure()

    async def unload(self) -> None:
        """Let the model go. Only for one that nobody is being answered by."""
        self._client = None
        await self._stack.aclose()

    def ready(self) -> Any:
        """What a loaded model is asked through, here an HTTP client.

        Raises ApiError 503 before it is loaded, and has it loaded.
        """
        self.used = time.monotonic()
        if self._client is not None:
            return self._client
        failed = self.error
        if failed is None or isinstance(failed, OutsideError):  # what lies outside may be there the next time
            self.wake()
        if failed is not None:
            raise ApiError(503, f"the model could not be loaded: {failed}", "model_failed")
        doing = f": {self.doing}" if self.doing else ""
        raise ApiError(503, f"the model {self.model.name} is still loading{doing}", "model_loading")

    async def complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One whole reply. Raises ApiError with what the model refused, 429 when too many wait."""
        self.ready()
        with self.turnstile.turn(), self.metrics.reply(self.model.name, body) as measured:
            reply = await self._complete(path, body)
            measured.saw(reply)
        return reply

    async def stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The chunks of a streamed reply, the last with its usage. Leaving the loop stops the model."""
        async with aclosing(self.batches(path, body)) as batches:
            async for batch in batches:
                for chunk in batch:
                    yield chunk

    async def batches(self, path: str, body: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]]]:
        """The same chunks, those together that came together: who sends them on does so once."""
        self.ready()
        with self.turnstile.turn(), self.metrics.reply(self.model.name, body) as measured:
            async with aclosing(self._batches(path, body)) as batches:
                async for batch in batches:
                    for chunk in batch:
                        measured.saw(chunk)
                    yield batch

    async def _complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.ready().post(path, json=body) as reply:
            said = await reply.read()
        if not reply.ok:
            raise from_upstream(reply.status, _json(said))
        result: dict[str, Any] = json.loads(said)
        return result

    async def _batches(self, path: str, body: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]]]:
        wanted = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with self.ready().post(path, json=wanted) as reply:
            if not reply.ok:
                raise from_upstream(reply.status, _json(await reply.read()))
            rest = b""
            async for part in reply.content.iter_any():
                *events, rest = (rest + part).replace(b"\r\n", b"\n").split(b"\n\n")
                if batch := [chunk for event in events for chunk in _chunks(event)]:
                    yield batch

    async def count(self, messages: Sequence[Message]) -> int:
        """How many tokens a conversation has as the model sees it, template and markers included."""
        text = (await self._complete("/apply-template", {"messages": as_rows(messages)}))["prompt"]
        wanted = {"content": text, "add_special": True, "parse_special": True}
        return len((await self._complete("/tokenize", wanted))["tokens"])

    def _tell(self, doing: str) -> None:
        self.doing = doing

    async def _open(self) -> Any:
        """What answers, once it is loaded; what has to be closed is put on the stack."""
        server = await asyncio.to_thread(self._launch, self._tell)
        running = await asyncio.to_thread(server.__enter__)
        self._stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        # llama.cpp closes idle connections at any moment, so each request opens its own: it is loopback
        client = aiohttp.ClientSession(
            running.base_url.removesuffix("/v1"),
            headers=running.headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
        )
        await self._stack.enter_async_context(client)
        async with client.get("/props") as reply:
            props = await reply.json()
        self.context = int(props["default_generation_settings"]["n_ctx"])
        return client


def as_rows(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as OpenAI's API writes them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def as_chunks(path: str, reply: dict[str, Any]) -> list[dict[str, Any]]:
    """A whole reply as the chunks of a stream: its text, its end and its usage."""
    (choice,) = reply["choices"]
    said = {"delta": choice["message"]} if path == CHAT else {"text": choice["text"]}
    last: dict[str, Any] = {"delta": {}} if path == CHAT else {"text": ""}
    return [
        {"choices": [{"index": 0, **said, "finish_reason": None}]},
        {"choices": [{"index": 0, **last, "finish_reason": choice["finish_reason"]}], "usage": reply["usage"]},
    ]


def _chunks(event: bytes) -> Iterator[dict[str, Any]]:
    """What a server-sent event carries. Raises ApiError for one that tells of a failure."""
    for line in event.split(b"\n"):
        kind, _, data = line.partition(b":")
        if kind == b"error" or (kind == b"data" and data.lstrip().startswith(b'{"error"')):
            failure = _json(data)
            raise from_upstream(500, failure if "error" in failure else {"error": failure})
        if kind == b"data" and data.strip() != b"[DONE]":
            yield json.loads(data)


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}
