"""OpenAI's API for chat, completions and models: a typed, thin layer over each model's server.

Shapes: https://platform.openai.com/docs/api-reference (chat, completions, models). Fields that we do not
know are ignored. `n` and lists of prompts become one request each, so that usage counts all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, model_validator

from ozfig.serve.backend import CHAT, Backend
from ozfig.serve.depends import TheModels, TheReplies, TheSettings, unless_gone
from ozfig.serve.polish import for_api
from ozfig.serve.problems import ApiError
from ozfig.serve.settings import Settings
from ozfig.serve.shapes import ChatReply, Model, ModelList, TextReply, problems, streamed

router = APIRouter(prefix="/v1", tags=["OpenAI"])
TEXT = "/v1/completions"
MOST_REPLIES = 16


class StreamOptions(BaseModel):
    """What a stream carries besides text."""

    include_usage: bool = False


class Sampling(BaseModel):
    """What both kinds of request share."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=MOST_REPLIES)
    max_tokens: int | None = Field(None, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = None
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    logit_bias: dict[str, float] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """In OpenAI's schema null is the same as a field that is left out."""
        return {k: v for k, v in given.items() if v is not None} if isinstance(given, dict) else given


class TextPart(BaseModel):
    """A piece of a message's content; this model reads text only."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn. `developer` is OpenAI's newer name for `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @model_validator(mode="before")
    @classmethod
    def _said_nothing(cls, given: Any) -> Any:
        """An assistant's content may be null: a turn that held something else than text."""
        if isinstance(given, dict) and given.get("role") == "assistant" and given.get("content", "") is None:
            return {**given, "content": ""}
        return given

    def row(self) -> dict[str, str]:
        """The turn as the model's template knows it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ChatRequest(Sampling):
    """The body of /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: dict[str, Any] | None = None


class TextRequest(Sampling):
    """The body of /v1/completions. A prompt is text or token ids, or a list of either."""

    prompt: str | list[str] | list[int] | list[list[int]]
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False


@dataclass(frozen=True)
class Reply:
    """One reply to put together: where to ask, and how the answer's objects are called."""

    path: str
    bodies: list[dict[str, Any]]
    model: str
    prefix: str
    whole: str
    chunk: str

    def head(self, kind: str) -> dict[str, Any]:
        """The fields that every object of a reply starts with."""
        return {"id": self.prefix + uuid4().hex, "object": kind, "created": int(time.time()), "model": self.model}


@router.get("/models", summary="The models", response_model=ModelList, responses=problems(401, 403, 429))
async def models(models: TheModels) -> dict[str, Any]:
    """OpenAI's list of models, the default first; each is loaded when it is first asked."""
    return {"object": "list", "data": [_model(models.get(name)) for name in models.names()]}


@router.get(
    "/models/{name:path}", summary="One model", response_model=Model, responses=problems(400, 401, 403, 404, 429)
)
async def model(name: str, models: TheModels) -> dict[str, Any]:
    """A model by its name."""
    return _model(models.get(name))


@router.post("/chat/completions", summary="Answer a conversation", responses=streamed(ChatReply, "The answer"))
async def chat(
    body: ChatRequest, request: Request, models: TheModels, settings: TheSettings, replies: TheReplies
) -> Any:
    """Answer the last message; the recipe's system text is added where the request brings none."""
    backend = models.get(body.model)
    messages = [message.row() for message in body.messages]
    if settings.system and all(message["role"] != "system" for message in messages):
        messages.insert(0, {"role": "system", "content": settings.system})
    limit = body.max_completion_tokens or body.max_tokens or settings.max_tokens
    wanted = {"messages": messages, **_sampling(body, settings), "max_tokens": limit}
    if body.response_format:
        wanted["response_format"] = body.response_format
    if body.logprobs:
        wanted |= {"logprobs": True, "top_logprobs": body.top_logprobs or 0}
    reply = Reply(
        CHAT, _each(wanted, body), backend.model.name, "chatcmpl-", "chat.completion", "chat.completion.chunk"
    )
    return await _answer(reply, body, request, for_api(backend, replies.polisher))


@router.post("/completions", summary="Continue a text", responses=streamed(TextReply, "The text"))
async def completions(body: TextRequest, request: Request, models: TheModels, settings: TheSettings) -> Any:
    """Continue one prompt or several, without a chat template. 16 tokens by default, as OpenAI does."""
    backend = models.get(body.model)
    if body.echo:
        raise ApiError(400, "echo: llama.cpp gives no probabilities of a prompt; leave it out", "unsupported", "echo")
    prompt = body.prompt
    single = isinstance(prompt, str) or (bool(prompt) and isinstance(prompt[0], int))
    prompts: list[Any] = [prompt] if single else list(prompt)
    if not 1 <= len(prompts) * body.n <= MOST_REPLIES:
        raise ApiError(400, f"prompt: 1 to {MOST_REPLIES} replies at once", "invalid_value", "prompt")
    wanted = {**_sampling(body, settings), "max_tokens": body.max_tokens or 16}
    if body.logprobs is not None:
        wanted["logprobs"] = body.logprobs
    bodies = [{**row, "prompt": text} for text in prompts for row in _each(wanted, body)]
    reply = Reply(TEXT, bodies, backend.model.name, "cmpl-", "text_completion", "text_completion")
    return await _answer(reply, body, request, backend)


async def _answer(reply: Reply, body: Sampling, request: Request, backend: Backend) -> Any:
    """The whole reply as JSON, or its chunks as server-sent events."""
    if not body.stream:
        return await unless_gone(request, _whole(reply, backend))
    usage = body.stream_options is not None and body.stream_options.include_usage
    events = _events(reply, backend, usage)
    # the first event is fetched here, so that a refused request is a plain 400 and not a broken stream
    first = await unless_gone(request, anext(events))
    return StreamingResponse(_chain(first, events), media_type="text/event-stream")


async def _whole(reply: Reply, backend: Backend) -> dict[str, Any]:
    choices, usages = [], []
    for index, body in enumerate(reply.bodies):
        part = await backend.complete(reply.path, body)
        choices.append(_choice(reply, part["choices"][0], index))
        usages.append(part["usage"])
    return {**reply.head(reply.whole), "choices": choices, "usage": _sum(usages)}


async def _events(reply: Reply, backend: Backend, with_usage: bool) -> AsyncGenerator[str]:
    head, usages = reply.head(reply.chunk), []
    for index, body in enumerate(reply.bodies):
        async with aclosing(backend.batches(reply.path, body)) as batches:
            async for batch in batches:
                usages += [part["usage"] for part in batch if part.get("usage")]
                choices = ([_choice(reply, choice, index) for choice in part["choices"]] for part in batch)
                if events := "".join(_event({**head, "choices": own}) for own in choices if own):
                    yield events
    if with_usage:
        yield _event({**head, "choices": [], "usage": _sum(usages)})
    yield "data: [DONE]\n\n"


async def _chain(first: str, rest: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """The events of a stream that has begun; a failure in its middle is told as an event too."""
    yield first
    try:
        async with aclosing(rest):
            async for event in rest:
                yield event
    except ApiError as error:
        yield _event(error.body())
    except Exception as error:
        yield _event(ApiError(500, f"the answer broke off ({type(error).__name__})").body())
        raise


def _choice(reply: Reply, choice: dict[str, Any], index: int) -> dict[str, Any]:
    """A choice of llama.cpp's as OpenAI's client expects it."""
    fixed = {**choice, "index": index}
    if reply.path == TEXT:
        fixed["logprobs"] = _legacy_logprobs(choice.get("logprobs"))
    elif "delta" in choice:
        # the client's types want a string where llama.cpp opens with null
        fixed["delta"] = {k: ("" if k == "content" and v is None else v) for k, v in choice["delta"].items()}
    return fixed


def _legacy_logprobs(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Completions write log-probabilities as parallel lists; llama.cpp sends the chat's shape."""
    if not given or "content" not in given:
        return given
    rows, offsets, at = given["content"], [], 0
    for row in rows:
        offsets.append(at)
        at += len(row["token"])
    return {
        "tokens": [row["token"] for row in rows],
        "token_logprobs": [row["logprob"] for row in rows],
        "top_logprobs": [{top["token"]: top["logprob"] for top in row["top_logprobs"]} for row in rows],
        "text_offset": offsets,
    }


def _sampling(body: Sampling, settings: Settings) -> dict[str, Any]:
    """The fields that llama.cpp takes as they are, where the request names them."""
    names = set(Sampling.model_fields) - {"model", "stream", "stream_options", "n", "max_tokens", "seed"}
    given = body.model_dump(include=names, exclude_none=True)
    return {"temperature": settings.temperature, **given}


def _each(wanted: dict[str, Any], body: Sampling) -> list[dict[str, Any]]:
    """One request for each of the n replies; a seed moves on by one, else all would be the same."""
    if body.seed is None:
        return [wanted] * body.n
    return [{**wanted, "seed": body.seed + i} for i in range(body.n)]


def _sum(usages: list[dict[str, Any]]) -> dict[str, int]:
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: sum(usage[name] for usage in usages) for name in names}


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _model(backend: Backend) -> dict[str, Any]:
    return {"id": backend.model.name, "object": "model", "created": backend.created, "owned_by": "ozfig"}
