"""Models that llama.cpp does not run (encoder-decoders, encoders) behind the same API: answers come in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from ozfig import prompts
from ozfig.engines.base import Decoding
from ozfig.serve.backend import CHAT, Backend
from ozfig.serve.problems import ApiError
from ozfig.types import Message, ModelRef

NEEDS_PASSAGE = "this model marks the answer in a passage: write the passage, an empty line, then the question"
NO_ANSWER = "The passage does not answer this."


class EngineBackend(Backend):
    """Asks an engine in this process, one question at a time. It decodes greedily, whatever the request samples by."""

    replies_in_context = False

    def __init__(self, model: ModelRef, on_failure: Callable[[], None] = lambda: None) -> None:
        from ozfig.engines.opening import load

        super().__init__(model, lambda: load(model), on_failure)
        self._turn = asyncio.Lock()

    async def complete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One whole reply in OpenAI's shape. Raises ApiError 400 for what this model cannot be asked."""
        messages = _asked(path, body)
        engine, is_span = self.ready(), self.model.head == "span"
        if is_span and not prompts.taken_apart(messages[-1].content)[0]:
            raise ApiError(400, NEEDS_PASSAGE, "invalid_value", "messages")
        stop = body.get("stop") or ()
        decoding = Decoding(body["max_tokens"], 1, (stop,) if isinstance(stop, str) else tuple(stop))
        async with self._turn:
            [text] = await asyncio.to_thread(engine.generate, [messages], decoding)
        if is_span and not text:
            text = NO_ANSWER
        said = {"message": {"role": "assistant", "content": text}} if path == CHAT else {"text": text}
        counts = [await self.count(messages), self._tokens(text)]
        usage = {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
        return {"choices": [{"index": 0, "finish_reason": "stop", **said}], "usage": usage}

    async def stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The reply as one chunk, then its end and its usage."""
        reply = await self.complete(path, body)
        (choice,) = reply["choices"]
        if path == CHAT:
            end = {"index": 0, "delta": {}, "finish_reason": "stop"}
            yield {"choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}]}
        else:
            end = {"index": 0, "text": "", "finish_reason": "stop"}
            yield {"choices": [{**choice, "finish_reason": None}]}
        yield {"choices": [end], "usage": reply["usage"]}

    async def count(self, messages: Sequence[Message]) -> int:
        """How many tokens the messages' texts have for the model's tokenizer."""
        return sum(self._tokens(m.content) for m in messages)

    def _tokens(self, text: str) -> int:
        return len(self.ready().tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    async def _load(self) -> None:
        try:
            self._client = await asyncio.to_thread(self._launch)
            self.context = self._client.context
        except Exception as error:
            self.error = error
            self._on_failure()


def _asked(path: str, body: dict[str, Any]) -> list[Message]:
    """The conversation of a request; a bare prompt is a user's turn."""
    if path == CHAT:
        return [Message(m["role"], m["content"]) for m in body["messages"]]
    if not isinstance(body["prompt"], str):
        raise ApiError(400, "prompt: this model takes text, no token ids", "invalid_value", "prompt")
    return [Message("user", body["prompt"])]
