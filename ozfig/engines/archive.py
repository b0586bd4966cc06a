"""A model folder packed behind a URL: `https://host/model.tar.gz#sha256=<hex>`, or a .zip.

The hash is the whole file's. Nothing is opened before it fits; then only files of known kinds come out, flat in one
folder, whatever paths, links or code the archive holds besides.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self
from urllib.parse import urlsplit

from ozfig import console, files
from ozfig.engines import download
from ozfig.errors import UserError

# weights, configuration and tokenizer; nothing that runs
WANTED = ["*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt", "LICENSE*", "README.md"]
MOST_BYTES = 64 << 30  # unpacked: a small file can hold a large one
MOST_FILES = 10_000
CHUNK = 1 << 20


@dataclass(frozen=True)
class Packed:
    """A packed model: where it is and the SHA-256 that it must have."""

    url: str
    sha256: str

    @classmethod
    def parse(cls, base: str) -> Self:
        """Read `URL#sha256=HEX`. Raises UserError without a hash or for another kind of file."""
        url, _, fragment = base.partition("#")
        if not re.search(r"\.(tar\.gz|tgz|zip)$", urlsplit(url).path):
            raise UserError(f"base {url!r}: name a .tar.gz or .zip of a model folder")
        if not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", fragment):
            raise UserError(f"base {url!r}: add the file's hash, so that it is the one you mean: {url}#sha256=<64 hex>")
        return cls(url, fragment.removeprefix("sha256=").lower())

    @property
    def name(self) -> str:
        """The file's name without its endings."""
        return re.sub(r"\.(tar\.gz|tgz|zip)$", "", PurePosixPath(urlsplit(self.url).path).name)


def fetch(base: str) -> Path:
    """The folder of a packed model, downloaded and opened once.

    Raises UserError for a file with another hash or without a model in it, OutsideError when it cannot be fetched.
    """
    packed = Packed.parse(base)
    folder = cache() / packed.sha256
    if not folder.is_dir():
        part, file = folder.with_name(f"{packed.sha256}.{os.getpid()}.part"), folder.with_name(f"{packed.sha256}.pack")
        try:
            with console.bar("download", None, "bytes") as bar:
                download.fetch(packed.url, packed.sha256, file, bar.reach)
            _unpack(file, part, packed)
            part.replace(folder)
            file.unlink()
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def cache() -> Path:
    """Where unpacked models are kept, by their hash: $XDG_CACHE_HOME or ~/.cache, then ozfig/models."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ozfig" / "models"


def _unpack(file: Path, folder: Path, packed: Packed) -> None:
    """Write the wanted files of the folder that holds the shallowest config.json, under their bare names."""
    with _opened(file, packed) as members:
        names = [name for name, _, _ in members]
        home = min((p.parent for n in names if (p := PurePosixPath(n)).name == "config.json"), key=_depth, default=None)
        if home is None:
            raise UserError(f"base {packed.url!r}: it holds no config.json, so it is no model")
        chosen = [m for m in members if PurePosixPath(m[0]).parent == home and _wanted(m[0])]
        if len(members) > MOST_FILES or sum(size for _, size, _ in chosen) > MOST_BYTES:
            raise UserError(f"base {packed.url!r}: it unpacks to more than {MOST_BYTES >> 30} GB or {MOST_FILES} files")
        for name, _, reader in chosen:
            with reader() as data, files.whole(folder / PurePosixPath(name).name) as out:
                shutil.copyfileobj(data, out, CHUNK)


@contextmanager
def _opened(file: Path, packed: Packed) -> Iterator[list[tuple[str, int, Any]]]:
    """(name, size, opener) of every regular file of an archive: links, devices and folders are left out."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as pack:
                plain = [i for i in pack.infolist() if not i.is_dir() and (i.external_attr >> 28) in (0, 8)]
                yield [(i.filename, i.file_size, lambda i=i: pack.open(i)) for i in plain]
        else:
            with tarfile.open(file) as tar:
                yield [(m.name, m.size, lambda m=m: _regular(tar, m)) for m in tar if m.isreg()]
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"base {packed.url!r}: not an archive that can be opened: {error}") from None


def _regular(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    data = tar.extractfile(member)
    assert data is not None, "regular files have content"
    return data


def _depth(path: PurePosixPath) -> int:
    return len(path.parts)


def _wanted(name: str) -> bool:
    return any(fnmatch(PurePosixPath(name).name, pattern) for pattern in WANTED)
