"""Files as documents: one, or a folder of them. What cannot be read is told with its reason, and the rest goes on."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

from ozfig import console
from ozfig.errors import UserError
from ozfig.gather import Gathered, SourceContext, readers
from ozfig.recipe import Documents
from ozfig.types import Document
from ozfig.web.extract import LITTLE


def gather(section: Documents, context: SourceContext) -> Gathered:
    """The registry's source `documents`. Raises UserError when the path is missing or holds no such file."""
    path = Path(section.path)
    if not path.exists():
        raise UserError(f"documents: {path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    known, others = _files(path, section)
    if not known:
        kinds = ", ".join(sorted(readers.READERS))
        narrowed = " that include and exclude leave" if section.include or section.exclude else ""
        raise UserError(f"documents: {path}: no file of the kinds {kinds}{narrowed}")
    gathered = Gathered(path.name, looked_at=f"{len(known)} files of {path.name}", counts={"other_kinds": others})
    with console.bar("documents", total=len(known), unit="files") as bar:
        for name in known:
            uri = name.relative_to(folder).as_posix()
            try:
                gathered.documents.append(_document(name, uri, path.name))
            except readers.Unreadable as error:
                gathered.failed.append(f"{uri}: {error}")
            except OSError as error:
                gathered.failed.append(f"{uri}: {error.strerror or error}")
            bar.advance()
    for line in gathered.failed:
        console.warn(f"documents: left out {line}")
    return gathered


def _files(path: Path, section: Documents) -> tuple[list[Path], int]:
    """The files to read, sorted, and how many are of other kinds; hidden ones are passed over."""
    if path.is_file():
        return [path] if path.suffix.lower() in readers.READERS else [], 0
    known, others = [], 0
    for found in path.rglob("*"):
        parts = found.relative_to(path).parts
        # Office keeps a ~$ file beside each one that is open
        if any(part.startswith((".", "~$")) for part in parts) or not found.is_file():
            continue
        name = "/".join(parts)
        if (section.include and not _matches(name, section.include)) or _matches(name, section.exclude):
            continue
        if found.suffix.lower() in readers.READERS:
            known.append(found)
        else:
            others += 1
    return sorted(known), others


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a path below the folder matches a pattern; * also matches /, and a folder's name all that is in it."""
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(name, f"{p.rstrip('/')}/*") for p in patterns)


def _document(path: Path, uri: str, source: str) -> Document:
    """One file as a document. Raises Unreadable and OSError."""
    found = readers.read(path)
    title = found.title or path.stem.replace("-", " ").replace("_", " ")
    little = f"little text: {len(found.text)} characters" if len(found.text) < LITTLE else ""
    return Document.make(uri, title, found.text, source, "; ".join(filter(None, [found.note, little])))
