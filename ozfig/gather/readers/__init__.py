"""Files as title and Markdown, one module for each family of formats, opened when such a file is met."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ozfig.errors import MissingExtra

LARGEST_MB = 200
READERS = {
    ".md": "plain:markdown",
    ".markdown": "plain:markdown",
    ".html": "plain:html",
    ".htm": "plain:html",
    ".xhtml": "plain:html",
    ".txt": "plain:text",
    ".docx": "docx:read",
    ".pptx": "pptx:read",
    ".epub": "epub:read",
    ".pdf": "pdf:read",
}


class Unreadable(ValueError):
    """A file that gives no document; the message says why in a few words."""


@dataclass(frozen=True)
class Read:
    """What a file says. `title` is empty where it names none; `note` is what a person should know of it."""

    title: str
    text: str
    note: str = ""


def read(path: Path) -> Read:
    """Read a file by its ending. Raises Unreadable, OSError, or MissingExtra without the extra that its kind needs."""
    if path.stat().st_size > LARGEST_MB * 1_000_000:
        raise Unreadable(f"larger than {LARGEST_MB} MB")
    module, _, name = READERS[path.suffix.lower()].partition(":")
    with parsing():
        found: Read = getattr(import_module(f"{__name__}.{module}"), name)(path)
    if not found.text.strip():
        raise Unreadable("empty")
    return found


def missing(path: Path) -> MissingExtra:
    """The error of a file whose parser is not installed."""
    return MissingExtra(f"{path.name}: reading {path.suffix.lower()} files", "documents")


@contextmanager
def parsing() -> Iterator[None]:
    """Around another project's parser: whatever it trips over is the file's fault, since each raises its own kinds
    of errors on a broken one. Raises Unreadable."""
    try:
        yield
    except (Unreadable, MissingExtra, ModuleNotFoundError, OSError):
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        raise Unreadable(f"broken: {type(error).__name__}{': ' + said[0][:120] if said else ''}") from error
