"""A model behind an OpenAI-compatible URL as an engine: it answers, and gives no probabilities of a given text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ozfig.engines.base import AnswerLoss, Conversation, Decoding
from ozfig.engines.openai import Endpoint, Remote, Sampling

AT_ONCE = 8


class RemoteEngine:
    """Asks a server, up to `at_once` questions side by side."""

    context = 0

    def __init__(self, name: str, endpoint: Endpoint, at_once: int = AT_ONCE) -> None:
        self.name, self.endpoint, self.at_once = name, endpoint, at_once

    def generate(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None = None
    ) -> list[str]:
        """One greedy reply for each conversation, in order.

        Raises OutsideError when the server stays silent, UserError when it refuses a question.
        """
        return asyncio.run(self._ask_all(prompts, decoding, progress))

    def losses(self, prompts: Sequence[Conversation], answers: Sequence[str], batch: int = 16) -> list[AnswerLoss]:
        """No loss for any answer: the protocol has no way to ask."""
        return [AnswerLoss(0.0, 0)] * len(answers)

    async def _ask_all(
        self, prompts: Sequence[Conversation], decoding: Decoding, progress: Callable[[int], None] | None
    ) -> list[str]:
        sampling = Sampling(decoding.max_tokens, stop=decoding.stop)
        free = asyncio.Semaphore(self.at_once)

        async def ask(remote: Remote, messages: Conversation) -> str:
            async with free:
                reply = await remote.chat(messages, sampling)
            if progress:
                progress(1)
            return reply.text.strip()

        async with Remote(self.endpoint) as remote:
            try:
                async with asyncio.TaskGroup() as group:
                    asked = [group.create_task(ask(remote, messages)) for messages in prompts]
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
        return [task.result() for task in asked]
