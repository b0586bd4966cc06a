"""A model behind an OpenAI-compatible URL (vLLM, Ollama, another ozfig), its replies passed through as they come."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from ozfig.engines.openai import ANY, Endpoint, Remote, estimated_tokens
from ozfig.errors import UserError
from ozfig.serve.backend import Backend
from ozfig.serve.problems import ApiError
from ozfig.serve.settings import LOOPBACK
from ozfig.serve.turnstile import Turnstile
from ozfig.types import Message, ModelRef

SECONDS = 300  # that such a server may take for the next piece
PER_MESSAGE = 4  # tokens of a chat template around a message, about


class RemoteBackend(Backend):
    """Asks another server. Its context is not known: `context` is what is assumed, tokens are estimated."""

    def __init__(self, model: ModelRef, endpoint: Endpoint, context: int, turnstile: Turnstile) -> None:
        super().__init__(model, lambda: None, turnstile=turnstile)
        self._endpoint, self._assumed = endpoint, context

    async def count(self, messages: Sequence[Message]) -> int:
        """About how many tokens a conversation has."""
        return sum(estimated_tokens(m.content) + PER_MESSAGE for m in messages)

    async def _complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = await super()._complete(path.removeprefix("/v1/"), self._adapted(body))
        except ApiError as error:
            raise _theirs(error) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._lost(error) from None
        if not isinstance(reply, dict) or not reply.get("choices"):
            raise ApiError(502, f"{self.model.path}: the answer is not in OpenAI's form", "upstream_failed")
        reply["usage"] = reply.get("usage") or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return reply

    async def _batches(self, path: str, body: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]]]:
        try:
            async with aclosing(super()._batches(path.removeprefix("/v1/"), self._adapted(body))) as batches:
                async for batch in batches:
                    yield [{**chunk, "choices": chunk.get("choices") or []} for chunk in batch]
        except ApiError as error:
            raise _theirs(error) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._lost(error) from None

    def _adapted(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "model": self._endpoint.model}

    def _lost(self, error: Exception) -> ApiError:
        text = f"{self.model.path}: the model's server does not answer ({type(error).__name__})"
        return ApiError(502, text, "upstream_failed")

    async def _open(self) -> aiohttp.ClientSession:
        """A client of the server. Raises OutsideError when it cannot be reached, UserError for a wrong key."""
        remote = Remote(self._endpoint)
        async with remote:
            offered = [remote.endpoint.model] if self._endpoint.model == ANY else await remote.models()
        if self._endpoint.model == ANY:
            self._endpoint = remote.endpoint
        elif self._endpoint.model not in offered:
            raise UserError(f"{remote.url} offers {', '.join(offered[:20])}, not {self._endpoint.model!r}")
        self.context = self._assumed
        key = os.environ.get(self._endpoint.key_env, "")
        client = aiohttp.ClientSession(
            remote.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SECONDS),
            connector=aiohttp.TCPConnector(limit=0),
            trust_env=urlsplit(remote.url).hostname not in LOOPBACK,
        )
        return await self._stack.enter_async_context(client)


def _theirs(error: ApiError) -> ApiError:
    """A refusal of that server in our name: its key and its model are not who asks' matter."""
    if error.status in {400, 413, 422, 429}:
        return error
    if error.status == 503:
        return ApiError(503, error.message, "model_loading")
    return ApiError(502, f"the model's server answers with status {error.status}: {error.message}", "upstream_failed")
