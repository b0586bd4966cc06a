"""What a run's folder says of the run: which stage is where, what it took and gave, and how that was planned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ozfig import files, registry
from ozfig.runs import EDITS, RECIPE, STAGES, Run

State = Literal["done", "running", "stopped", "waiting", "older"]
BOOK = "plan.json"  # what each stage was to take, written as tuning starts (forecast.book)
WORDS: dict[State, str] = {
    "done": "done",
    "running": "running",
    "stopped": "unfinished",
    "waiting": "to come",
    "older": "out of date",
}
# what a stage takes over from an earlier one: (name among its inputs, earlier stage, file there)
HANDED_ON = {
    "prepare": [("documents", "gather", "documents.jsonl"), ("examples", "gather", "examples.jsonl")],
    "tune": [("train", "prepare", "train.jsonl")],
    "export": [("adapter", "tune", "adapter"), ("adapter", "tune", "model")],
    "evaluate": [("held_out", "prepare", "held_out.jsonl"), ("train", "prepare", "train.jsonl")],
}


@dataclass
class Stage:
    """One stage of a run. `done` of `total` counts its steps while it runs, where they are known."""

    name: str
    state: State = "waiting"
    manifest: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0
    done: int = 0
    total: int = 0
    planned: dict[str, Any] = field(default_factory=dict)  # what was foreseen for it; empty where nothing was

    @property
    def word(self) -> str:
        """Its state for people."""
        return WORDS[self.state]

    @property
    def seconds(self) -> float:
        """What it took, or has taken so far."""
        if self.state == "running":
            return max(0.0, time.time() - self.began)
        return float(self.manifest.get("seconds", 0))

    @property
    def left(self) -> float:
        """Seconds to go at the mean rate so far; 0 where that is not known."""
        return self.seconds / self.done * (self.total - self.done) if self.done and self.total else 0.0

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of its manifest."""
        found: dict[str, Any] = self.manifest.get("metrics", {})
        return found

    @property
    def gave(self) -> str:
        """What it gave, in a few words."""
        return FIGURES[self.name](self.metrics) if self.metrics else ""


class Overview:
    """A run as it is now."""

    def __init__(self, run: Run) -> None:
        self.run, self.name, self.is_busy = run, run.folder.name, run.is_busy
        self.stages = [_stage(run, name) for name in STAGES]
        self._place()
        book = run.folder / BOOK
        for name, row in (files.read_json(book) if book.exists() else {}).items():
            self.stages[STAGES.index(name)].planned = row.get("planned", {})
        tune = self.stages[STAGES.index("tune")]
        plan = run.stage("tune") / "plan.json"
        tune.total = files.read_json(plan)["steps"] if plan.exists() else 0

    @property
    def state(self) -> State:
        """The state of the whole run: that of the first stage that is not done."""
        return next((s.state for s in self.stages if s.state != "done"), "done")

    @property
    def word(self) -> str:
        """Its state for people."""
        return WORDS[self.state]

    @property
    def date(self) -> datetime:
        """When the last thing of it was written."""
        paths = [self.run.stage(name) / "manifest.json" for name in STAGES] + [self.run.folder / RECIPE]
        return datetime.fromtimestamp(max(p.stat().st_mtime for p in paths if p.exists())).astimezone()

    @property
    def seconds(self) -> float:
        """What all its stages took together."""
        return sum(s.seconds for s in self.stages)

    @property
    def headline(self) -> dict[str, Any] | None:
        """Verdict and primary score; None before the run is measured."""
        report = self.run.stage("evaluate") / "report.json"
        if not self.stages[-1].manifest or not report.is_file():
            return None
        found: dict[str, Any] = registry.find("report", "headline")(report)
        return found

    def page(self, name: str) -> Path | None:
        """A page for people that the run keeps: `report` or `data`."""
        path = {"report": self.run.stage("evaluate") / "report.html", "data": self.run.stage("prepare") / "data.html"}
        return path[name] if path[name].is_file() else None

    def asked(self) -> list[tuple[str, str, str]]:
        """What the recipe left open or limited, and what became of it: (name, asked, became)."""
        rows = [
            (key, "auto", _said(value))
            for stage in self.stages
            for key, value in stage.metrics.get("resolved", {}).items()
        ]
        tune = self.stages[STAGES.index("tune")]
        if tune.metrics and tune.total:
            rows.insert(0, ("tune steps", f"{tune.total:,}", f"{tune.metrics['steps']:,}"))
        return rows

    def stamp(self) -> str:
        """A text that changes when what the page shows does."""
        paths = [self.run.stage(s) / n for s in STAGES for n in ("manifest.json", "key.txt", "log.jsonl", "plan.json")]
        stats = [p.stat() for p in [*paths, self.run.folder / EDITS, self.run.folder / BOOK] if p.exists()]
        # the clock of a running stage goes on
        clock = int(time.time()) if self.is_busy else 0
        return files.sha256_value([self.is_busy, clock, *([s.st_mtime_ns, s.st_size] for s in stats)])[:24]

    def _place(self) -> None:
        """Tell the stages that are done from those that an earlier one has left behind."""
        for place, stage in enumerate(self.stages):
            earlier = self.stages[:place]
            if not stage.manifest:
                begun = (self.run.stage(stage.name) / "key.txt").exists()
                running = self.is_busy and not any(s.state == "running" for s in earlier)
                stage.state = "running" if begun and running else "stopped" if begun else "waiting"
            elif any(s.state != "done" for s in earlier) or not self._fits(stage):
                stage.state = "older"

    def _fits(self, stage: Stage) -> bool:
        """Whether a finished stage was made from what the earlier stages hold now."""
        manifests = {s.name: s.manifest.get("outputs", {}) for s in self.stages}
        took = stage.manifest.get("inputs", {})
        pairs = [(took.get(name), manifests[of].get(file)) for name, of, file in HANDED_ON.get(stage.name, [])]
        fits = all(a == b for a, b in pairs if a and b)
        edits = self.run.folder / EDITS
        if stage.name == "prepare" and edits.exists():
            fits &= took.get("edits") == files.sha256_path(edits)
        return fits


def _stage(run: Run, name: str) -> Stage:
    """A stage by what lies in its folder. A manifest is read as it is, whatever version wrote it."""
    path, key = run.stage(name) / "manifest.json", run.stage(name) / "key.txt"
    manifest = files.read_json(path) if path.exists() else {}
    return Stage(name, "done" if manifest else "waiting", manifest, key.stat().st_mtime if key.exists() else 0.0)


def _said(value: Any) -> str:
    """A value of a recipe as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _joined(parts: Iterator[str]) -> str:
    return " · ".join(parts)


def _gathered(found: dict[str, Any]) -> str:
    return _joined(f"{found[n]:,} {n}" for n in ("documents", "examples") if found.get(n))


def _prepared(found: dict[str, Any]) -> str:
    dropped = sum(found.get("dropped", {}).values())
    parts = {"pairs": found.get("train", 0), "held out": found.get("held_out", 0), "dropped": dropped}
    return _joined(f"{n:,} {name}" for name, n in parts.items() if n)


def _tuned(found: dict[str, Any]) -> str:
    if "final_loss" not in found:
        return ""
    return f"loss {found['first_loss']:.2f} → {found['final_loss']:.2f} · {found['steps']:,} steps"


def _exported(found: dict[str, Any]) -> str:
    return _joined(f"{name} {file['bytes'] / 1e6:,.1f} MB" for name, file in found.get("files", {}).items())


def _measured(found: dict[str, Any]) -> str:
    return f"{found['questions']:,} questions" if found.get("questions") else ""


FIGURES: dict[str, Callable[[dict[str, Any]], str]] = {
    "gather": _gathered,
    "prepare": _prepared,
    "tune": _tuned,
    "export": _exported,
    "evaluate": _measured,
}
