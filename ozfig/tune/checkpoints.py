"""Checkpoints that count only when they are whole, and what happens when the disk is full."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers

from ozfig import files
from ozfig.engines.loading import first_line
from ozfig.errors import OutsideError
from ozfig.tune import group

FOLDER = "checkpoints"
UNFINISHED = "unfinished"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors, tokenizers and torch write by themselves and name the number or the failed write only in their text
FULL_TEXTS = (
    *(text for number in FULL for text in (f"code: {number},", f"(os error {number})")),
    "PytorchStreamWriter failed writing",
    "unexpected pos",
)


class AtomicTrainer(transformers.Trainer):  # type: ignore[misc]
    """A Trainer whose checkpoints appear under their name only when they are whole; the newest is kept."""

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(self.args.output_dir) / UNFINISHED)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        if group.leads():
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        group.wait()
        try:
            super()._save_checkpoint(model, trial)
            group.wait()  # each process adds a file of its own
            if not group.leads():
                return
            (written,) = (folder / UNFINISHED).iterdir()
            for path in written.rglob("*"):
                if path.is_file():
                    with path.open("rb") as data:
                        os.fsync(data.fileno())
        except Exception:
            if group.leads():
                shutil.rmtree(folder / UNFINISHED, ignore_errors=True)  # a part of one only takes room
            raise
        older = whole(folder)
        written.rename(folder / written.name)
        for path in older:
            shutil.rmtree(path)


def whole(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))


def resumable(folder: Path, identity: str) -> Path | None:
    """The checkpoint to go on from; checkpoints of another training are removed."""
    note = folder / "identity.json"
    if group.leads() and (not note.exists() or files.read_json(note) != identity):
        shutil.rmtree(folder, ignore_errors=True)
        files.write_json(note, identity)
    group.wait()
    found = whole(folder)
    return found[-1] if found else None


def step_of(checkpoint: Path | None) -> int:
    """How many steps were done by then."""
    return int(checkpoint.name.split("-")[1]) if checkpoint else 0


@contextmanager
def disk_may_fill(folder: Path) -> Iterator[None]:
    """Explain a full disk in one line, with what is kept of the training in `folder`. Raises OutsideError."""
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in FULL and not any(text in str(error) for text in FULL_TEXTS):
            raise
        found = whole(folder / FOLDER)
        kept = f"the checkpoint of step {step_of(found[-1])} is kept" if found else "there is no checkpoint yet"
        raise OutsideError(
            f"no room left in {folder} ({first_line(error)}); {kept}: free some space and run the same command again"
        ) from error
