"""What a person thinks of an answer, kept for the source `feedback` to learn from."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ozfig.serve.depends import TheStore
from ozfig.serve.problems import ApiError

router = APIRouter(include_in_schema=False)


class Verdict(BaseModel):
    """What is absent stays as it was."""

    rating: Literal[-1, 0, 1] | None = None
    correction: Annotated[str, Field(max_length=100_000)] | None = None
    preferred: bool | None = None


@router.post("/messages/{message}/feedback", status_code=204)
def judge(message: int, body: Verdict, store: TheStore) -> None:
    """Keep a verdict on an answer. Raises ApiError 404 for what is no answer."""
    if not store.judge(message, **body.model_dump(exclude_none=True)):
        raise ApiError(404, "this answer does not exist", "message_not_found")
