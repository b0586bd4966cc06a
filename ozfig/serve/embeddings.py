"""POST /v1/embeddings: sentence vectors of the small encoder that works offline.

Shapes: https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints

from ozfig.errors import MissingExtra
from ozfig.serve.depends import unless_gone
from ozfig.serve.problems import ApiError
from ozfig.serve.shapes import USUAL, EmbeddingsReply, problems
from ozfig.serve.turnstile import Turnstile

router = APIRouter(prefix="/v1", tags=["OpenAI"])
NAME = "minilm"
NAMES = {"", NAME, "all-minilm-l6-v2", "sentence-transformers/all-minilm-l6-v2"}
MOST_TEXTS = 2048
AT_ONCE = 32  # texts between two looks whether the client is still there
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class EmbeddingsRequest(BaseModel):
    """The body of /v1/embeddings. `dimensions` can only be the model's own 384."""

    input: Text | list[Text] | list[int] | list[list[int]]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class Encoder:
    """The encoder of an app: one request at a time, a bounded queue before it."""

    def __init__(self, queue: int) -> None:
        self._turnstile, self._turn = Turnstile(1, queue), asyncio.Lock()

    async def encode(self, texts: list[str]) -> tuple[Any, int]:
        """Unit vectors, of shape (texts, 384), and the number of tokens read. Raises ApiError 429 and 501."""
        try:
            import numpy as np

            from ozfig.engines.embeddings import count_tokens, embed

            with self._turnstile.turn():
                async with self._turn:
                    tokens = await asyncio.to_thread(count_tokens, texts)
                    starts = range(0, len(texts), AT_ONCE)
                    parts = [await asyncio.to_thread(embed, texts[i : i + AT_ONCE]) for i in starts]
                    return np.concatenate(parts), tokens
        except MissingExtra as error:
            raise ApiError(501, str(error), "not_installed") from None


@router.post(
    "/embeddings",
    summary="Vectors of texts",
    response_model=EmbeddingsReply,
    responses=problems(*USUAL, 501),
)
async def embeddings(body: EmbeddingsRequest, request: Request) -> Any:
    """Vectors of one text or up to 2048, normalised; what is longer than 256 word pieces is cut."""
    from ozfig.engines.embeddings import WIDTH

    if body.model.lower() not in NAMES:
        text = f"the model {body.model[:100]!r} does not exist; embeddings are made by {NAME!r}"
        raise ApiError(404, text, "model_not_found", "model")
    if body.dimensions not in (None, WIDTH):
        text = f"dimensions: {NAME} gives {WIDTH} and cannot be shortened; leave it out"
        raise ApiError(400, text, "invalid_value", "dimensions")
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise ApiError(400, f"input: 1 to {MOST_TEXTS} texts at once", "invalid_value", "input")
    words = [text for text in texts if isinstance(text, str)]
    if len(words) < len(texts):
        raise ApiError(400, "input: this model takes text, no token ids", "invalid_value", "input")
    encoder: Encoder = request.app.state.encoder
    vectors, tokens = await unless_gone(request, encoder.encode(words))
    packed = body.encoding_format == "base64"
    rows = [
        {
            "object": "embedding",
            "index": i,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist(),
        }
        for i, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": NAME, "usage": usage}
