"""The models that can teach: behind a URL, in a GGUF file, in a folder; and what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ozfig import files
from ozfig.engines.base import Decoding
from ozfig.engines.openai import ANY, Endpoint, NoChat, Remote, Reply, Sampling, estimated_tokens
from ozfig.errors import UserError
from ozfig.prepare import Context
from ozfig.prepare.teach.replies import TaughtPairs
from ozfig.recipe import TeacherPairs
from ozfig.types import Message, ModelRef

SHOWN = 500  # characters of a broken reply that the teacher sees again
ROOM = 1.5  # by how much a prompt may be longer than its estimate
MEND = "That cannot be used ({problem}). Answer again, with the JSON only."
MEND_PLAIN = "(The list below has to be valid JSON; the last one was not: {problem}.)\n\n"


@dataclass(frozen=True)
class Prompt:
    """What is asked of one passage: of models that chat, and of models that complete a text."""

    messages: tuple[Message, ...]
    plain: str
    is_mended: bool = False

    def mended(self, reply: str, problem: str) -> Prompt:
        """The prompt that asks for a better reply."""
        turns = Message("assistant", reply[:SHOWN]), Message("user", MEND.format(problem=problem))
        return Prompt((*self.messages, *turns), MEND_PLAIN.format(problem=problem) + self.plain, True)

    @property
    def tokens(self) -> int:
        """About how many tokens the longer form has."""
        return estimated_tokens(max(self.plain, "\n".join(m.content for m in self.messages), key=len))


class Teacher(Protocol):
    """A model that answers prompts."""

    async def ask(self, prompt: Prompt) -> Reply:
        """One reply. Raises what `ozfig.engines.openai.Remote` raises."""


class _RemoteTeacher:
    """A teacher behind a URL; `api: auto` finds out by asking whether it chats."""

    def __init__(self, remote: Remote, section: TeacherPairs) -> None:
        self._remote, self._api = remote, section.api
        self._chat = Sampling(section.max_tokens, section.temperature, schema=schema(section))
        self._plain = replace(self._chat, schema=None, stop=("\n\n", "```"))

    async def ask(self, prompt: Prompt) -> Reply:
        """One reply, by the way that the model understands."""
        if self._api != "completions":
            try:
                return await self._remote.chat(prompt.messages, self._chat)
            except NoChat:
                if self._api == "chat":
                    raise
                self._api = "completions"
        reply = await self._remote.complete(prompt.plain, self._plain)
        return replace(reply, text=f"[{reply.text}")  # the prompt has opened the list


def schema(section: TeacherPairs) -> dict[str, Any]:
    """The JSON schema of a reply, with as many pairs as the recipe demands."""
    form = TaughtPairs.model_json_schema()
    if section.at_least:
        form["properties"]["pairs"] |= {"minItems": section.at_least}
    return form


class _LocalTeacher:
    """A model in this process: one question at a time, greedy; its tokens are estimated."""

    def __init__(self, engine: Any, section: TeacherPairs) -> None:
        self._engine, self._decoding, self._lock = engine, Decoding(section.max_tokens, batch=1), asyncio.Lock()

    async def ask(self, prompt: Prompt) -> Reply:
        """One reply."""
        async with self._lock:
            [text] = await asyncio.to_thread(self._engine.generate, [prompt.messages], self._decoding)
        return Reply(text, prompt.tokens, estimated_tokens(text))


def local_model(section: TeacherPairs, context: Context) -> ModelRef | None:
    """The model on this machine that a recipe names; None for one behind a URL. Raises UserError for none at all."""
    if section.url:
        return None
    if section.model in ("base", ANY):
        if context.base is None:
            raise UserError("prepare.pairs: there is no base model here to be the teacher; name a model or a url")
        return context.base
    path = Path(section.model).expanduser()
    if path.suffix != ".gguf":
        from ozfig.engines.resolve import resolve

        return resolve(section.model)
    if not path.is_file():
        raise UserError(f"prepare.pairs.model: {path}: no such file")
    return ModelRef("gguf", str(path), path.stem, sha256=files.sha256_path(path))


@asynccontextmanager
async def opened(section: TeacherPairs, ref: ModelRef | None, longest: int) -> AsyncIterator[Teacher]:
    """The teacher, ready for prompts of up to about `longest` tokens; `ref` is the model if it is on this machine."""
    if ref is None:
        async with Remote(Endpoint(section.url, section.model, section.key_env, timeout=section.timeout)) as remote:
            yield _RemoteTeacher(remote, section)
    elif ref.kind == "gguf":
        from ozfig.engines.gguf import LlamaServer, trained_context

        context = min(trained_context(Path(ref.path)), int(longest * ROOM) + section.max_tokens)
        with LlamaServer(ref.path, context, section.concurrency) as server:
            async with Remote(Endpoint(server.base_url, ref.name, key=server.key, timeout=section.timeout)) as remote:
                yield _RemoteTeacher(remote, section)
    else:
        from ozfig.engines.opening import load

        yield _LocalTeacher(load(ref), section)
