"""Files as documents: Markdown, HTML and plain text, one or a folder of them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ozfig import console
from ozfig.errors import UserError
from ozfig.gather import Gathered, SourceContext
from ozfig.recipe import Documents
from ozfig.types import Document
from ozfig.web.extract import LITTLE, extract

MARKDOWN, HTML, TEXT = {".md", ".markdown"}, {".html", ".htm"}, {".txt"}
KINDS = MARKDOWN | HTML | TEXT
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FIRST_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def gather(section: Documents, context: SourceContext) -> Gathered:
    """The registry's source `documents`. Raises UserError when the path is missing or holds no such file."""
    path = Path(section.path)
    if not path.exists():
        raise UserError(f"documents: {path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    names = _files(path)
    if not names:
        raise UserError(f"documents: {path}: no file of the kinds {', '.join(sorted(KINDS))}")
    gathered = Gathered(looked_at=f"{len(names)} files of {path.name}")
    for name in names:
        uri = name.relative_to(folder).as_posix()
        try:
            document = _read(name, uri, path.name)
        except (OSError, UnicodeError) as error:
            gathered.failed.append(f"{uri}: {'not text' if isinstance(error, UnicodeError) else error.strerror}")
            continue
        if document.text:
            gathered.documents.append(document)
        else:
            gathered.failed.append(f"{uri}: empty")
    for line in gathered.failed:
        console.warn(f"documents: left out {line}")
    return gathered


def _files(path: Path) -> list[Path]:
    """The files to read, sorted; hidden files and folders are passed over."""
    if path.is_file():
        return [path]
    found = [p for p in path.rglob("*") if p.suffix.lower() in KINDS and p.is_file()]
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(path).parts))


def _read(path: Path, uri: str, source: str) -> Document:
    """One file as a document. Raises OSError or UnicodeError."""
    data = path.read_bytes()
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnicodeError("binary")
    text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig").replace("\r\n", "\n")
    title = path.stem.replace("-", " ").replace("_", " ")
    kind = path.suffix.lower()
    if kind in HTML:
        page = extract(text)
        title, text = page.title or title, page.markdown
    elif kind in MARKDOWN:
        title, text = _markdown(text, title)
    text = text.strip()
    note = f"little text: {len(text)} characters" if len(text) < LITTLE else ""
    return Document.make(uri, title, text, source, note)


def _markdown(text: str, fallback: str) -> tuple[str, str]:
    """Title and text of a Markdown file: front matter names the title, else the first heading does."""
    named = ""
    front = FRONT_MATTER.match(text)
    if front:
        try:
            values = yaml.safe_load(front[1])
        except yaml.YAMLError:
            values = None  # two rules with prose between them, not front matter
        if isinstance(values, dict):
            named, text = str(values.get("title") or ""), text[front.end() :]
    heading = FIRST_HEADING.search(text)
    return named or (heading[1] if heading else fallback), text
