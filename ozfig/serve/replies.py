"""How a question becomes an answer, for the chat page and for /prompt: sources, the model, citations, polish."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ozfig import prompts
from ozfig.recipe import Serve
from ozfig.serve.backend import CHAT, Backend, as_rows
from ozfig.serve.citations import Citations, checked, marked
from ozfig.serve.context import fit
from ozfig.serve.polish import Polisher
from ozfig.serve.problems import ApiError
from ozfig.serve.settings import Settings
from ozfig.serve.sources import Found, Sources
from ozfig.types import Message

SAMPLING = ("temperature", "top_p")


@dataclass
class Reply:
    """One answer, from its question to its last word.

    `text` is what is shown, `raw` what the model wrote where that is something else; `sources` are rows of number,
    title, url, text, kind and, at the end, whether they were cited.
    """

    turns: list[Message]
    body: dict[str, Any]
    chosen: Mapping[str, Any]
    left_out: int = 0
    found: Found = field(default_factory=Found)
    sources: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    text: str = ""
    raw: str = ""
    tokens: int = 0

    @property
    def question(self) -> str:
        """What was asked last."""
        return self.turns[-1].content

    def details(self, backend: Backend) -> dict[str, Any]:
        """What else is to be known of how it came about."""
        known = {"notes": self.notes, "seconds": self.seconds, "web": self.found.provider, "left_out": self.left_out}
        return {**{k: v for k, v in known.items() if v}, "model_sha256": backend.model.sha256}


class Replies:
    """Answers questions by a server's settings; `section` is the recipe's serve."""

    def __init__(
        self,
        settings: Settings,
        section: Serve | None = None,
        sources: Sources | None = None,
        polisher: Polisher | None = None,
    ) -> None:
        self.section = section or Serve()
        self.polisher = polisher
        self._settings = settings
        self._sources = sources or Sources(self.section)

    async def close(self) -> None:
        """Let go of the second model."""
        if self.polisher:
            await self.polisher.close()

    def offered(self) -> tuple[bool | None, bool | None]:
        """Whether a new chat answers from the web and from the documents; None for what cannot be had."""
        web, documents = self._sources.wants({})
        return (web if self.section.web.chain else None), (documents if self._sources.documents.there else None)

    async def begin(self, backend: Backend, turns: Sequence[Message], chosen: Mapping[str, Any]) -> Reply:
        """An answer to come. `chosen` are a conversation's settings; `turns` end with the question.

        Raises ApiError: 400 the question is too long, 503 the model is not loaded.
        """
        sampling = {"temperature": self._settings.temperature} | {k: chosen[k] for k in SAMPLING if k in chosen}
        body = {"max_tokens": chosen.get("max_tokens") or self._settings.max_tokens, **sampling}
        reply = Reply(list(turns), body, chosen)
        await self._fit(backend, reply, reply.question)
        return reply

    async def enrich(self, backend: Backend, reply: Reply) -> None:
        """Find the sources that are wanted and put as many before the question as the model can read."""
        web, documents = self._sources.wants(reply.chosen)
        if not web and not documents:
            return
        began = time.monotonic()
        found = await self._sources.find(reply.question, web, documents)
        shown = found
        while shown.sources:
            try:
                await self._fit(backend, reply, self._wrapped(backend, reply.question, shown))
                break
            except ApiError as error:
                if error.code != "context_length_exceeded":
                    raise
                shown = shown.shorter()
        cut = len(found.sources) - len(shown.sources)
        reply.found, reply.sources = shown, shown.rows
        reply.notes = [*found.notes, *([f"{cut} of {len(found.sources)} sources did not fit"] if cut else [])]
        reply.seconds["sources"] = round(time.monotonic() - began, 3)

    async def stream(self, backend: Backend, reply: Reply) -> AsyncGenerator[str]:
        """The answer in pieces, its citations checked; with a second model in one piece, polished.

        `reply` grows along and is whole at the end. Raises ApiError. Leaving the loop stops the model.
        """
        began = time.monotonic()
        citations = Citations(len(reply.sources)) if reply.found.asked else None
        async with aclosing(backend.stream(CHAT, reply.body)) as chunks:
            async for chunk in chunks:
                for piece in _pieces(chunk):
                    reply.seconds.setdefault("first_token", round(time.monotonic() - began, 3))
                    reply.raw += piece
                    known = citations.feed(piece) if citations else piece
                    reply.text += known
                    yield "" if self.polisher else known  # a sign of life, so that its part is saved
                    reply.tokens += 1
                if chunk.get("usage"):
                    reply.tokens = chunk["usage"]["completion_tokens"]
        rest = citations.close() if citations else ""
        reply.text += rest
        if self.polisher:
            rest = await self._polish(reply, self.polisher)
        if rest:
            yield rest
        self._close(reply)

    async def _polish(self, reply: Reply, polisher: Polisher) -> str:
        """The shown text, cleaned; the reply keeps the model's own beside it."""
        began = time.monotonic()
        text, note = await polisher.try_clean(reply.question, reply.text)
        reply.text = checked(text, len(reply.sources)) if reply.found.asked else text
        if note:
            reply.notes.append(note)
        reply.seconds["polish"] = round(time.monotonic() - began, 3)
        return reply.text

    def _close(self, reply: Reply) -> None:
        """Judge the citations; what was shown as it was written needs no second copy."""
        reply.sources, notes = marked(reply.text, reply.sources)
        reply.notes += notes
        reply.raw = reply.raw if reply.raw != reply.text else ""

    def _wrapped(self, backend: Backend, question: str, found: Found) -> str:
        """The user's turn with the sources. A model that marks its answer in a passage gets the passages alone."""
        if backend.model.head == "span":
            passage = "\n".join(source.shown for source in found.sources)
            return prompts.ask(question, passage=passage)[-1].content
        template = self.section.web.template if found.from_web else self.section.template
        return prompts.filled(template, question=question, results=found.context)

    async def _fit(self, backend: Backend, reply: Reply, asked: str) -> None:
        turns = [*reply.turns[:-1], Message("user", asked)]
        system = str(reply.chosen.get("system", self._settings.system))
        messages, reply.left_out = await fit(backend, turns, system, reply.body["max_tokens"])
        reply.body["messages"] = as_rows(messages)


def _pieces(chunk: dict[str, Any]) -> list[str]:
    """The text of a chunk's choices."""
    return [text for choice in chunk["choices"] if (text := choice["delta"].get("content"))]
