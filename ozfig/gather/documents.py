"""A folder or file of Markdown, HTML or text."""

from __future__ import annotations

import re
from pathlib import Path

from ozfig import console
from ozfig.errors import UserError
from ozfig.gather import Found, Visit
from ozfig.recipe import Documents
from ozfig.types import Document
from ozfig.web.extract import extract

KINDS = {".md", ".markdown", ".html", ".htm", ".txt"}
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)


def gather(source: Documents, visit: Visit) -> Found:
    """Read every document of a folder, sorted by path; files of other kinds and hidden ones are left out.

    Raises UserError when nothing can be read.
    """
    root = Path(source.path)
    if not root.exists():
        raise UserError(f"no such file or folder: {root}")
    paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p, root))
    chosen = [path for path in paths if path.suffix.lower() in KINDS]
    if not chosen:
        raise UserError(f"{root}: no Markdown, HTML or text file in it")
    found = Found()
    for path in chosen:
        name = path.relative_to(root).as_posix() if root.is_dir() else path.name
        try:
            document = read(path, name)
        except (UnicodeDecodeError, OSError) as error:
            found.failed[name] = "not readable as UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            console.warn(f"{name} is left out: {found.failed[name]}")
            continue
        if document.text:
            found.documents.append(document)
        else:
            found.little_text.append(name)
    return found


def read(path: Path, name: str) -> Document:
    """One file as a document; its title is its front matter's, its first heading or its name."""
    text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    stem = path.stem.replace("-", " ").replace("_", " ")
    if path.suffix.lower() in {".html", ".htm"}:
        page = extract(text, "")
        return Document.make(name, page.title or stem, page.markdown, source="documents")
    matter = FRONT_MATTER.match(text)
    if matter:
        text = text[matter.end() :]
    titled = re.search(r"^title:\s*['\"]?(.+?)['\"]?\s*$", matter[1], re.M) if matter else None
    heading = re.search(r"^#\s+(.+)$", text, re.M)
    title = titled[1] if titled else heading[1] if heading else stem
    return Document.make(name, title, text.strip(), source="documents")


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
