"""A second model that cleans an answer before it is shown; when it fails, the answer is shown as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ozfig.engines.openai import Endpoint, NoChat, Remote, Sampling
from ozfig.errors import OutsideError, OzfigError, UserError
from ozfig.files import is_url
from ozfig.prompts import filled
from ozfig.recipe import Polish
from ozfig.runs import Run
from ozfig.serve.backend import Backend, as_chunks
from ozfig.types import Message


class Polisher:
    """The second model of a recipe: behind a URL, or a GGUF file that is loaded with the first answer."""

    def __init__(self, section: Polish) -> None:
        """Raises UserError for a model that is neither a URL, nor a file, nor a run with one."""
        self._section = section
        self._file = None if is_url(section.model) else _file(section.model)
        self._stack = AsyncExitStack()
        self._task: asyncio.Task[Remote] | None = None

    @property
    def for_api(self) -> bool:
        """Whether the recipe wants the API's answers polished too."""
        return self._section.api

    async def clean(self, question: str, answer: str) -> str:
        """The answer in better words. Raises OzfigError when there is none."""
        prompt = filled(self._section.template, question=question, answer=answer)
        sampling = Sampling(self._section.max_tokens)
        try:
            async with asyncio.timeout(self._section.timeout):
                remote = await self._opened()
                try:
                    reply = await remote.chat([Message("user", prompt)], sampling)
                except NoChat:
                    reply = await remote.complete(prompt, sampling)
        except TimeoutError:
            raise OutsideError(f"{self._section.model}: no answer within {self._section.timeout:g} s") from None
        if reply.finish == "length" or not reply.text.strip():
            raise OutsideError(f"{self._section.model}: the polished answer is {'cut' if reply.text else 'empty'}")
        return reply.text.strip()

    async def try_clean(self, question: str, answer: str) -> tuple[str, str]:
        """The better answer and no note; or the answer as it is, and why. An empty one stays empty."""
        if not answer.strip():
            return answer, ""
        try:
            return await self.clean(question, answer), ""
        except OzfigError as error:
            return answer, f"shown as the first model wrote it: {error}"

    async def close(self) -> None:
        """Let go of the model."""
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self._stack.aclose()

    async def _opened(self) -> Remote:
        # a thread cannot be cancelled: who gives up waiting leaves the opening to the next answer
        if self._task is None or (self._task.done() and (self._task.cancelled() or self._task.exception())):
            self._task = asyncio.create_task(self._open())
        return await asyncio.shield(self._task)

    async def _open(self) -> Remote:
        return await self._stack.enter_async_context(Remote(await self._endpoint()))

    async def _endpoint(self) -> Endpoint:
        section = self._section
        if self._file is None:
            return Endpoint(section.model, section.served_as, section.key_env, timeout=section.timeout, retries=0)
        from ozfig.engines.gguf import LlamaServer

        server = LlamaServer(self._file, slots=1)
        self._stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        await asyncio.to_thread(server.__enter__)
        return Endpoint(server.base_url, self._file.stem, key=server.key, timeout=section.timeout, retries=0)


def _file(model: str) -> Path:
    """The GGUF file of a path or of a run. Raises UserError."""
    path = Path(model).expanduser()
    if path.suffix != ".gguf":
        quantised = Run.open(path).models().get("quantised")
        if quantised is None:
            raise UserError(f"serve.polish.model: {model}: this run has no GGUF file")
        path = Path(quantised.path)
    if not path.is_file():
        raise UserError(f"serve.polish.model: {path}: no such file")
    return path


class Polished(Backend):
    """A backend whose chat replies are polished, for the API. The rest is the first backend's own."""

    def __init__(self, first: Backend, polisher: Polisher) -> None:
        self._first, self._polisher = first, polisher
        self.model, self.created = first.model, first.created
        self.replies_in_context, self.context = first.replies_in_context, first.context

    async def complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One whole reply, its text polished. Raises what the first backend raises."""
        reply = await self._first.complete(path, body)
        message = reply["choices"][0]["message"]
        message["content"], _ = await self._polisher.try_clean(_question(body["messages"]), message["content"] or "")
        return reply

    async def batches(self, path: str, body: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]]]:
        """The polished reply as one chunk, then its end and its usage."""
        yield as_chunks(path, await self.complete(path, body))


def _question(messages: Sequence[dict[str, str]]) -> str:
    return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")


def for_api(backend: Backend, polisher: Polisher | None) -> Backend:
    """The backend as the API shall use it: polished where the recipe says so."""
    return Polished(backend, polisher) if polisher and polisher.for_api else backend
