"""A training log that another process is writing, followed from where it was last read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ozfig.pages import charts


class TrainingLog:
    """Losses (nats a trained token) and tokens by step."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, -1
        self._forget()

    def follow(self) -> None:
        """Read what was added. A log that was written anew (a training went back to its checkpoint) is read anew."""
        stat = self._path.stat() if self._path.exists() else None
        if stat is None or stat.st_ino != self._file or stat.st_size < self._at:
            self._forget()
        if stat is None or stat.st_size == self._at:
            return
        self._file = stat.st_ino
        with self._path.open("rb") as data:
            data.seek(self._at)
            added = data.read()
        whole = added[: added.rfind(b"\n") + 1]  # the last line may still be being written
        for line in whole.splitlines():
            row = json.loads(line)
            self.losses.append(row["loss"])
            self.tokens.append(row["tokens"])
            self.step = row["step"]
        self._at += len(whole)

    def curve(self) -> dict[str, Any] | None:
        """The curve with its axes; None before there are two points."""
        if len(self.losses) < 2:
            return None
        return charts.training(self.losses, self.tokens, self.step)

    def _forget(self) -> None:
        self._at, self.step = 0, 0
        self.losses: list[float] = []
        self.tokens: list[int] = []
