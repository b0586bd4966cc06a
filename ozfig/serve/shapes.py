"""What the API's replies look like, for its schema: OpenAI's objects, and the one shape of every error.

Shapes: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Part of a reply; a model's server may add more."""

    model_config = ConfigDict(extra="allow")


class Usage(Shape):
    """Tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatReply(Shape):
    """A whole chat reply."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: Usage


class TextReply(Shape):
    """A whole completion."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: Usage


class Model(Shape):
    """A model that can be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Shape):
    """The models that can be asked, the default first."""

    object: Literal["list"]
    data: list[Model]


class EmbeddingsUsage(Shape):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class Embedding(Shape):
    """One text's vector, as numbers or as little-endian float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsReply(Shape):
    """The vectors of the texts, in their order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class Transcription(Shape):
    """What was said."""

    text: str


class Problem(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every answer that is none."""

    error: Problem


TOLD = {
    400: "The request is wrong; `param` names the field",
    401: "The key is missing or wrong",
    403: "The page of another site asks, or the host is not this server",
    404: "There is no such model",
    413: "The body is too large",
    415: "The body is of another type",
    422: "The model's server cannot use the request",
    429: "Too many requests; `Retry-After` says when to ask again",
    499: "The client hung up",
    501: "What this needs is not installed or not set up",
    502: "The model's server failed",
    503: "The model is still loading; `Retry-After` says when to ask again",
}
USUAL = (400, 401, 403, 404, 422, 429, 499, 502, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error replies of a route for its schema."""
    return {status: {"model": ErrorReply, "description": TOLD[status]} for status in statuses}


def streamed(model: type[BaseModel], text: str) -> dict[int | str, dict[str, Any]]:
    """The replies of a route that answers whole or as server-sent events, and its errors."""
    events: dict[str, Any] = {"text/event-stream": {}}
    return {200: {"model": model, "description": text, "content": events}, **problems(*USUAL)}
