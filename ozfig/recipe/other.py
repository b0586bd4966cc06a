"""Models and services that are not the run's own."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ozfig.files import is_url
from ozfig.recipe.section import Section


class OtherModel(Section):
    """Any other model: to compare the tuned one with, or to serve beside it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """What it is called in the report and in the API."""
    model: str
    """A hub id, a local folder, a .gguf file, or the URL of an OpenAI-compatible server."""
    served_as: str = "any"
    """URL: the model's name there; any is the first that the server offers."""
    key_env: str = "OPENAI_API_KEY"
    """URL: the environment variable that holds the key."""

    @property
    def is_remote(self) -> bool:
        """Whether it answers behind a URL."""
        return is_url(self.model)

    @property
    def file(self) -> Path | None:
        """The GGUF file that it is, or None."""
        path = Path(self.model).expanduser()
        return path.resolve() if path.suffix == ".gguf" and not self.is_remote else None


class Transcriber(Section):
    """What turns speech into text."""

    model: str = "base"
    """A model of faster-whisper (tiny, base, small, turbo ..., a folder or a hub id; needs the extra `voice`), or the
    URL of an OpenAI-compatible server."""
    served_as: str = "whisper-1"
    """URL: the model's name there."""
    key_env: str = "OPENAI_API_KEY"
    """URL: the environment variable that holds the key."""

    @property
    def is_remote(self) -> bool:
        """Whether it answers behind a URL."""
        return is_url(self.model)
