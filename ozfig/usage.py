"""What a piece of work took: seconds, peak memory, bytes on disk."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MARK = "VmHWM:"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


@dataclass
class Usage:
    """Filled in when the block that `measured` opened ends; memory is the largest process's."""

    seconds: float = 0.0
    peak_memory_mb: float = 0.0


def peak_mb() -> float:
    """The most memory that this process held, since it started or since it was last forgotten."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith(MARK):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 2**20


def _children_mb() -> float:
    """The most memory that any process held that this one started and that has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * RSS_UNIT / 2**20


def release() -> None:
    """Give the system back what earlier work left behind: a stage needs no room for the model of the one before."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps freed memory otherwise
    if trim:
        trim(0)


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure the block. Where the system can forget an earlier peak (Linux), memory is the block's own."""
    release()
    found, began, children = Usage(), time.monotonic(), _children_mb()
    with suppress(OSError):  # the peak then holds what came before, too
        FORGET.write_text("5")
    try:
        yield found
    finally:
        found.seconds = time.monotonic() - began
        grown = _children_mb()
        found.peak_memory_mb = max(peak_mb(), grown if grown > children else 0.0)


def disk_mb(folder: Path) -> float:
    """Bytes of a folder's files, in MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
