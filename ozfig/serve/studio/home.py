"""The folder of runs that a server shows, and what is kept of them between two requests."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import Depends, Request

from ozfig import registry
from ozfig.runs import RECIPE, Run, runs_in
from ozfig.serve.problems import ApiError
from ozfig.serve.studio.training import TrainingLog
from ozfig.types import ModelRef

SHELVES = 4  # runs whose pairs stay indexed


class Home:
    """The runs below one folder. `has_chat` says whether the server also answers questions."""

    def __init__(self, folder: Path | None, has_chat: bool) -> None:
        self.folder, self.has_chat = folder, has_chat
        self._shelves: OrderedDict[Path, Any] = OrderedDict()
        self._logs: dict[Path, TrainingLog] = {}
        self._lock = Lock()

    def runs(self) -> list[Run]:
        """Every run, by name."""
        return runs_in(self.folder) if self.folder else []

    def run(self, name: str) -> Run:
        """One run. Raises ApiError 404 when there is none of this name."""
        for run in self.runs():  # a name is only ever compared, so that none leads out of the folder
            if run.folder.name == name:
                return run
        raise ApiError(404, f"there is no run {name!r} here", "run_not_found")

    def shelf(self, run: Run) -> Any:
        """The run's pairs, read again when the prepare stage has made others. Raises UserError before it has run."""
        with self._lock:
            found = self._shelves.pop(run.folder, None)
            if found is None or not found.is_current:
                found = registry.find("review", "shelf")(run)
            self._shelves[run.folder] = found
            while len(self._shelves) > SHELVES:
                self._shelves.popitem(last=False)
            return found

    def log(self, run: Run) -> TrainingLog:
        """The run's training log, read as far as it is written."""
        with self._lock:
            found = self._logs.setdefault(run.folder, TrainingLog(run.stage("tune") / "log.jsonl"))
            found.follow()
            return found


def around(model: ModelRef) -> Path | None:
    """The folder of the run that a model was exported by, one up: where its siblings are. None for any other model."""
    if model.kind == "openai" or len(Path(model.path).parents) < 3:
        return None
    run = Path(model.path).parents[1]  # a run keeps what it serves in its folder export/
    return run.parent if (run / RECIPE).is_file() else None


def _home(request: Request) -> Home:
    home: Home = request.app.state.home
    return home


TheHome = Annotated[Home, Depends(_home)]
