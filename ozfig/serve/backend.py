"""The model behind the API: llama.cpp's own server, started while ours already answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx

from ozfig.serve.problems import ApiError, from_upstream
from ozfig.types import Message, ModelRef

CHAT = "/v1/chat/completions"


class Server(Protocol):
    """An OpenAI-compatible server of llama.cpp on a loopback port; `headers` bring its key."""

    base_url: str
    headers: dict[str, str]


Launch = Callable[[], AbstractContextManager[Server]]


class Backend:
    """Owns the model server and the one HTTP client that speaks to it."""

    replies_in_context = True  # prompt and reply share the model's context

    def __init__(
        self, model: ModelRef, launch: Callable[[], Any], on_failure: Callable[[], None] = lambda: None
    ) -> None:
        """`launch` gives what answers once it is loaded: a `Launch`, unless a subclass asks something else."""
        self.model = model
        self.error: Exception | None = None
        self.context = 0
        self.created = int(Path(model.path).stat().st_mtime)
        self._launch, self._on_failure = launch, on_failure
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._loading: asyncio.Task[None] | None = None

    @property
    def state(self) -> Literal["loading", "ok", "failed"]:
        """How far the model is."""
        return "failed" if self.error else "ok" if self._client else "loading"

    def start(self) -> None:
        """Begin to load the model; returns at once."""
        self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        """Wait for a load that is under way (a thread cannot be cancelled), then stop the server."""
        if self._loading:
            await self._loading
        self._client = None
        await self._stack.aclose()

    def ready(self) -> Any:
        """What a loaded model is asked through, here an HTTP client. Raises ApiError 503 before it is loaded."""
        if self.error:
            raise ApiError(503, f"the model could not be loaded: {self.error}", "model_failed")
        if self._client is None:
            raise ApiError(503, "the model is still loading", "model_loading")
        return self._client

    async def complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One whole reply. Raises ApiError with what the server refused."""
        reply = await self.ready().post(path, json=body)
        if reply.is_error:
            raise from_upstream(reply.status_code, _json(reply.content))
        result: dict[str, Any] = reply.json()
        return result

    async def stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The chunks of a streamed reply, the last with its usage. Leaving the loop stops the model."""
        wanted = {**body, "stream": True, "stream_options": {"include_usage": True}}
        async with self.ready().stream("POST", path, json=wanted) as reply:
            if reply.is_error:
                raise from_upstream(reply.status_code, _json(await reply.aread()))
            async for line in reply.aiter_lines():
                kind, _, data = line.partition(":")
                if kind == "error" or (kind == "data" and data.lstrip().startswith('{"error"')):
                    failure = _json(data)
                    raise from_upstream(500, failure if "error" in failure else {"error": failure})
                if kind == "data" and data.strip() != "[DONE]":
                    yield json.loads(data)

    async def count(self, messages: Sequence[Message]) -> int:
        """How many tokens a conversation has as the model sees it, template and markers included."""
        text = (await self.complete("/apply-template", {"messages": as_rows(messages)}))["prompt"]
        wanted = {"content": text, "add_special": True, "parse_special": True}
        return len((await self.complete("/tokenize", wanted))["tokens"])

    async def _load(self) -> None:
        try:
            server = await asyncio.to_thread(self._launch)
            running = await asyncio.to_thread(server.__enter__)
        except Exception as error:
            self.error = error
            self._on_failure()
            return
        self._stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        # llama.cpp closes idle connections at any moment, so each request opens its own: it is loopback
        client = httpx.AsyncClient(
            base_url=running.base_url.removesuffix("/v1"),
            headers=running.headers,
            timeout=httpx.Timeout(None, connect=10),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )
        await self._stack.enter_async_context(client)
        props = (await client.get("/props")).json()
        self.context = int(props["default_generation_settings"]["n_ctx"])
        self._client = client


def as_rows(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as OpenAI's API writes them."""
    return [{"role": m.role, "content": m.content} for m in messages]


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}
