"""What a user may set for one conversation."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Chosen(BaseModel):
    """What is absent is the server's default. `system` may be empty: then the model gets no system text."""

    model: Line | None = None
    web: bool | None = None
    documents: bool | None = None
    system: Annotated[str, Field(max_length=20_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None

    def kept(self) -> dict[str, Any]:
        """What is stored with the conversation."""
        return self.model_dump(exclude_none=True)
