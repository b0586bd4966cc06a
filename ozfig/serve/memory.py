"""How much memory there is for models, and how much one takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ozfig.errors import UserError
from ozfig.types import ModelRef

SHARE = 0.8  # of what is free, for models
IN_FLOAT32 = 2  # weights are held in twice the bytes of the usual 16-bit files
GROUP = Path("/sys/fs/cgroup")


def limit(section: Literal["auto"] | float) -> int:
    """Bytes that models may take together; auto is a share of what is free now."""
    return int(SHARE * free()) if section == "auto" else int(section * 1e9)


def free(meminfo: Path = Path("/proc/meminfo"), group: Path = GROUP) -> int:
    """Bytes that are free on this machine, or in this container where it is given less."""
    try:
        rows = dict(row.split(":", 1) for row in meminfo.read_text().splitlines())
        machine = 1024 * int(rows["MemAvailable"].split()[0])
    except (OSError, KeyError):  # no Linux: all of its memory is the best guess
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        given, used = ((group / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return machine
    return machine if given == "max" else min(machine, max(0, int(given) - int(used)))


def needed(model: ModelRef, context: int, slots: int) -> int:
    """About how many bytes a model takes: its weights and, for a GGUF file, the cache of so many conversations.

    0 for what is elsewhere, and for a broken file: its loading says what is wrong with it.
    """
    path = Path(model.path)
    if model.kind == "gguf":
        from ozfig.engines.gguf import cache_bytes

        try:
            return path.stat().st_size + slots * cache_bytes(path, context)
        except (OSError, UserError):
            return 0
    folders = [Path(folder) for folder in (model.path, model.base) if folder and model.kind != "openai"]
    return IN_FLOAT32 * sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors"))
