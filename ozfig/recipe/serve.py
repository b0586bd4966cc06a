"""The API and the chat page."""

from __future__ import annotations

from pydantic import Field

from ozfig.recipe.section import Section


class Serve(Section):
    """The API and the chat page."""

    max_tokens: int = Field(512, ge=1)
    """Longest reply."""
    temperature: float = Field(0.2, ge=0)
    """Sampling temperature where a request names none."""
    context: int = Field(8192, ge=256)
    """Most tokens of one conversation; a model that was trained on less keeps to its own."""
    parallel: int = Field(4, ge=1)
    """Requests answered side by side; memory for each one's context is set aside at the start."""
    threads: int = Field(0, ge=0)
    """Threads that compute; 0 takes as many as the model has work for. Fewer are faster on a busy machine."""
