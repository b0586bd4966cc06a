"""Putting prompts to a teacher: many at once, each only once, through whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ozfig import console, files
from ozfig.console import Bar
from ozfig.engines.openai import NoChat, Refused, Reply
from ozfig.errors import OutsideError, OzfigError, UserError
from ozfig.prepare import Context
from ozfig.prepare.teach.budget import Budget
from ozfig.prepare.teach.replies import Broken, Replies, TaughtPair, read_pairs
from ozfig.prepare.teach.teachers import Prompt, Teacher, local_model, opened
from ozfig.recipe import TeacherPairs

FAILURES_IN_A_ROW = 20
FIRST_FAILURES = 3  # of a teacher that has never answered
TOLD = 5  # different failures that are printed


@dataclass(frozen=True)
class Taught:
    """What a teacher wrote for a prompt. `invalid` counts rows that are no pairs, `why` says so of a whole reply."""

    pairs: Sequence[TaughtPair] = ()
    invalid: int = 0
    why: str = ""


class Asker:
    """Knows every reply that was ever given to these settings, and gets those that are missing."""

    def __init__(self, section: TeacherPairs, context: Context) -> None:
        """Raises UserError for a model that is not there."""
        self.section, self.budget = section, Budget(section)
        self.asked = self.failed = 0
        self._ref = local_model(section, context)
        self._replies = Replies(context.cache / "teacher.jsonl")
        model = self._ref.sha256 if self._ref else section.model
        form = [section.at_least] if section.at_least else []
        self._settings = [section.url, model, section.api, section.temperature, section.max_tokens, *form]
        self._used: set[str] = set()
        self._told: set[str] = set()
        self._last: OzfigError | None = None
        self._in_a_row = self._no_json = 0

    @property
    def from_cache(self) -> int:
        """How many replies were known before."""
        return len(self._used) - self.asked

    def known(self, prompt: Prompt) -> Taught | Prompt:
        """What was taught for a prompt, or else the prompt that has to be asked next."""
        reply = self._reply(prompt)
        if reply is None:
            return prompt
        try:
            return Taught(*read_pairs(reply.text))
        except Broken as error:
            if prompt.is_mended:
                return Taught((), 1, f"{error}: {reply.text[:60]!r}")
            return self.known(prompt.mended(reply.text, str(error)))

    def ask(self, prompts: Sequence[Prompt]) -> None:
        """Get every reply that is not known yet, or as many as the caps allow.

        Raises UserError when that would cost too much or the teacher writes no JSON, OutsideError when it does
        not answer. What was answered is kept in any case.
        """
        waiting = [prompt for prompt in prompts if isinstance(self.known(prompt), Prompt)]
        before = f"  teacher: {len(prompts)} passages, {len(prompts) - len(waiting)} answered before"
        if not waiting:
            console.say(before)
            return
        console.say(f"{before}; {self.budget.estimate(waiting)}")
        asyncio.run(self._ask_all(waiting))
        if self.budget.is_spent:
            console.warn(f"teacher: stopped at {self.budget.told}, the cap of the recipe; what it wrote is kept")
        elif self.failed:
            console.warn(f"teacher: {self.failed} of {len(prompts)} passages got no answer and have no pairs")

    async def _ask_all(self, waiting: Sequence[Prompt]) -> None:
        """Ask, then ask once more where the server failed."""
        async with opened(self.section, self._ref, max(prompt.tokens for prompt in waiting)) as teacher:
            with console.bar("teacher", len(waiting), "passages") as bar:
                lost = await self._round(teacher, waiting, bar)
                if lost and not self.budget.is_spent:
                    self.failed += len(await self._round(teacher, lost, bar))
        if self.failed == len(waiting) and self._last:
            raise type(self._last)(f"the teacher answered none of {self.failed} passages: {self._last}")

    async def _round(self, teacher: Teacher, prompts: Sequence[Prompt], bar: Bar) -> list[Prompt]:
        """Ask `concurrency` prompts at a time; returns those that the server failed on."""
        lost: list[Prompt] = []
        shared = iter(prompts)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.section.concurrency, len(prompts))):
                    group.create_task(self._work(teacher, shared, lost, bar))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return lost

    async def _work(self, teacher: Teacher, prompts: Iterator[Prompt], lost: list[Prompt], bar: Bar) -> None:
        for prompt in prompts:
            if self.budget.is_spent:
                return
            try:
                await self._settle(teacher, prompt)
                self._in_a_row = 0
            except NoChat:
                raise
            except Refused as error:
                self.failed += 1
                self._failed(error)
            except OutsideError as error:
                lost.append(prompt)
                self._failed(error)
            bar.advance(tokens=f"{self.budget.tokens_in + self.budget.tokens_out:,}")

    async def _settle(self, teacher: Teacher, prompt: Prompt) -> None:
        """Ask until what a prompt taught is known: once, and once more for JSON that is broken."""
        while isinstance(found := self.known(prompt), Prompt):
            try:
                reply = await teacher.ask(found)
            except Refused:
                if not found.is_mended:
                    raise
                reply = Reply("", finish="refused")  # the first reply stays broken: it made the question too long
            self.asked += 1
            self._replies.put(self._key(found), reply)
        self._no_json = self._no_json + 1 if found.why else 0
        if self._no_json >= FAILURES_IN_A_ROW:
            raise UserError(
                f"the teacher {self.section.model} writes no JSON that can be read, {self._no_json} times in a row "
                f"({found.why}); choose another model"
            )

    def _failed(self, error: OzfigError) -> None:
        """Tell of a failure. Raises it when there were too many in a row."""
        self._in_a_row += 1
        self._last = error
        if str(error) not in self._told and len(self._told) < TOLD:
            self._told.add(str(error))
            console.warn(f"teacher: {error}")
        if self._in_a_row >= (FAILURES_IN_A_ROW if self._used else FIRST_FAILURES):
            raise type(error)(
                f"the teacher failed {self._in_a_row} times in a row, {len(self._used)} replies are kept: {error}"
            )

    def _reply(self, prompt: Prompt) -> Reply | None:
        """The reply to a prompt, counted when it is used for the first time."""
        key = self._key(prompt)
        reply = self._replies.get(key)
        if reply is not None and key not in self._used:
            self._used.add(key)
            self.budget.count(reply)
        return reply

    def _key(self, prompt: Prompt) -> str:
        return files.sha256_value([*self._settings, [m.to_row() for m in prompt.messages], prompt.plain])
