"""The API and the chat page."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ozfig.recipe.other import OtherModel, Transcriber
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
    models: list[OtherModel] = []
    """Other models to offer by name, as {name: big, model: hub id, folder, .gguf file or URL}."""
    memory: Literal["auto"] | float = Field("auto")
    """GB that loaded models may take together; the one that was not used for longest leaves. auto is 0.8 of what is
    free at the start."""
    queue: int = Field(64, ge=0)
    """Requests that wait for each model beyond those that it answers; the next one gets a 429 with Retry-After."""
    requests_per_minute: int = Field(0, ge=0)
    """Requests to the API a minute for each key; 0 sets no limit."""
    transcribe: Transcriber | None = None
    """What turns speech into text; without it faster-whisper's base model where the extra `voice` is installed."""

    @field_validator("memory")
    @classmethod
    def _some_memory(cls, value: Literal["auto"] | float) -> Literal["auto"] | float:
        if value != "auto" and value <= 0:
            raise ValueError("memory is auto or a number of GB above 0")
        return value

    @field_validator("models")
    @classmethod
    def _names_once(cls, models: list[OtherModel]) -> list[OtherModel]:
        names = [model.name for model in models]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice!r} is named twice")
        return models
