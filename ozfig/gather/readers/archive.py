"""Formats that are zip archives inside (DOCX, PPTX, EPUB): checked before anything is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from ozfig.gather.readers import Unreadable

OLE = b"\xd0\xcf\x11\xe0"  # what old Office files and encrypted new ones begin with
MOST_UNPACKED = 500_000_000  # bytes of all parts
MOST_PARTS = 20_000
# text packs to a tenth or a fiftieth; a bomb, to a thousandth
MOST_RATIO, SMALL = 200, 10_000_000
PIECE, ENDLESS = 1 << 16, 1 << 62
UNKNOWN = RuntimeError  # how zipfile says that it cannot unpack a version, a packing or an encryption


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file that is safe to unpack. Raises Unreadable when it is none, encrypted, cut off or a bomb.

    Every part is unpacked once, so that what the directory says of them is known to be true.
    """
    with path.open("rb") as file:
        if file.read(4) == OLE:
            raise Unreadable("encrypted, or in the old binary format; save it without a password in the new one")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise Unreadable("broken or cut off: not a whole zip archive") from None
    except UNKNOWN as error:
        raise Unreadable(f"packed in an unknown way: {error}") from None
    with archive:
        _check(archive)
        for entry in archive.infolist():
            with _damage(entry.filename):
                for _ in _pieces(archive, entry.filename):
                    pass
        yield archive


def part(archive: zipfile.ZipFile, name: str) -> bytes:
    """One part's bytes. Raises Unreadable when it is missing or damaged."""
    with _damage(name):
        return b"".join(_pieces(archive, name))


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Around the reading of a part. Raises Unreadable when it is missing or damaged."""
    try:
        yield
    except KeyError:
        raise Unreadable(f"broken: it lacks {name}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UNKNOWN) as error:
        raise Unreadable(f"broken: {name}: {error}") from None


def _check(archive: zipfile.ZipFile) -> None:
    """Raise Unreadable for an encrypted archive and for one that unpacks to far more than it holds."""
    parts = archive.infolist()
    if any(entry.flag_bits & 1 for entry in parts):
        raise Unreadable("encrypted")
    unpacked = sum(entry.file_size for entry in parts)
    packed = sum(entry.compress_size for entry in parts)
    if unpacked > MOST_UNPACKED or len(parts) > MOST_PARTS:
        raise Unreadable(f"over-large: unpacks to {unpacked / 1e6:,.0f} MB in {len(parts):,} parts")
    if unpacked > max(SMALL, MOST_RATIO * packed):
        raise Unreadable(f"over-large: unpacks to {unpacked / max(packed, 1):,.0f} times its size")


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A part's bytes, a piece at a time. Raises Unreadable for more of them than the directory says."""
    entry = copy(archive.getinfo(name))
    left, entry.file_size = entry.file_size, ENDLESS  # else zipfile hides what a false size leaves over
    with archive.open(entry) as part:
        while piece := part.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise Unreadable(f"broken: {name} unpacks to more than the archive says")
            yield piece
