"""A chat in the terminal, with the model and the settings that the server would answer by."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from ozfig import console
from ozfig.errors import OutsideError, OzfigError
from ozfig.recipe import Recipe, Serve
from ozfig.serve.backend import CHAT, Backend, as_rows
from ozfig.serve.context import fit
from ozfig.serve.models import Models
from ozfig.serve.offer import Offer
from ozfig.serve.problems import ApiError
from ozfig.types import Message, ModelRef

HELP = "/system TEXT · /reset forgets the conversation · /quit · Ctrl-C stops an answer"


@dataclass
class Talk:
    """One conversation; answers go to standard output as they come."""

    models: Models
    section: Serve
    system: str
    turns: list[Message] = field(default_factory=list)
    screen: Console = field(default_factory=lambda: Console(highlight=False))
    said: str = ""

    @property
    def backend(self) -> Backend:
        """The one model."""
        return self.models.get()

    async def open(self) -> None:
        """Load the model. Raises OzfigError with what kept it from loading."""
        self.models.start()
        while self.backend.state == "loading":
            await asyncio.sleep(0.02)
        if isinstance(self.backend.error, OzfigError):
            raise self.backend.error
        if self.backend.error:
            raise OutsideError(f"{self.backend.model.path}: the model could not be loaded: {self.backend.error}")

    def command(self, line: str) -> bool:
        """Obey a line that begins with a slash; false when the conversation is to end."""
        name, _, text = line.partition(" ")
        if name == "/quit":
            return False
        if name == "/reset":
            self.turns.clear()
            console.note("a new conversation")
        elif name == "/system":
            self.system = text.strip() or self.system
            console.note(f"system: {self.system or 'none'}")
        else:
            console.note(HELP)
        return True

    def ask(self, runner: asyncio.Runner, question: str) -> None:
        """Answer a question; what was written when Ctrl-C came stays in the conversation."""
        self.said, began = "", time.monotonic()
        try:
            runner.run(self._answer(question))
        except KeyboardInterrupt:
            console.note("stopped")
        except ApiError as error:
            return console.warn(error.message)
        if self.said.strip():
            self.turns += [Message("user", question), Message("assistant", self.said.strip())]
            console.note(f"{time.monotonic() - began:.1f} s")
        return None

    async def _answer(self, question: str) -> None:
        asked = [*self.turns, Message("user", question)]
        messages, left_out = await fit(self.backend, asked, self.system, self.section.max_tokens)
        if left_out:
            console.note(f"the {left_out} oldest turns no longer fit and were left out")
        body: dict[str, Any] = {
            "messages": as_rows(messages),
            "max_tokens": self.section.max_tokens,
            "temperature": self.section.temperature,
        }
        # a terminal sees it grow, set as Markdown; a pipe gets it when it is whole, as the model wrote it
        growing = Live(console=self.screen, refresh_per_second=12, vertical_overflow="visible")
        with growing if self.screen.is_terminal else nullcontext() as live:
            async with aclosing(self.backend.stream(CHAT, body)) as chunks:
                async for chunk in chunks:
                    self.said += "".join(c["delta"].get("content") or "" for c in chunk["choices"])
                    if live:
                        live.update(Markdown(self.said))
        if not live:
            self.screen.out(self.said.strip())


def chat(model: ModelRef, recipe: Recipe | None = None) -> None:
    """Talk with a model until /quit or the end of the input.

    Raises UserError for a file that is no model, and what kept the model from loading.
    """
    section = recipe.serve if recipe else Serve.model_validate({})
    talk = Talk(Offer(section, lambda: None).models([model]), section, recipe.system if recipe else "")
    with asyncio.Runner() as runner:
        try:
            runner.run(talk.open())
            console.say(f"[bold]chat[/bold]  {model.name} {model.quantisation}".rstrip())
            console.note(HELP)
            while (line := _read()) is not None and (not line.startswith("/") or talk.command(line)):
                if line and not line.startswith("/"):
                    talk.ask(runner, line)
        finally:
            runner.run(talk.models.stop())


def _read() -> str | None:
    """The next line; None at the end of the input. Ctrl-C clears what was typed."""
    with suppress(ImportError):
        import readline  # noqa: F401  # history and editing, where the system has it
    while True:
        try:
            return input("> " if sys.stdin.isatty() else "").strip()
        except KeyboardInterrupt:
            console.say("")
        except EOFError:
            console.say("")
            return None
