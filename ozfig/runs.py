"""The run folder: a recipe, one folder a stage, each with a manifest that is written last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ozfig import files
from ozfig.errors import UserError
from ozfig.recipe import Recipe
from ozfig.recipes import dump, load
from ozfig.types import Manifest, ModelRef

STAGES = ["gather", "prepare", "tune", "export", "evaluate"]
RECIPE = "recipe.yaml"
LOCK = ".lock"
EDITS = "edits.jsonl"  # what people changed of the data, over what the stages made


class Run:
    """A folder that explains itself: everything that a report says can be found and made again from here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> Run:
        """An existing run. Raises UserError when the folder holds none."""
        if not (folder / RECIPE).is_file():
            raise UserError(f"{folder}: not a run folder (it has no {RECIPE}); make one with: ozfig run RECIPE")
        return cls(folder)

    @property
    def recipe(self) -> Recipe:
        """The frozen recipe of the run."""
        return load(Recipe, self.folder / RECIPE)

    def freeze(self, recipe: Recipe) -> None:
        """Write the recipe that the run was made from."""
        files.write_text(self.folder / RECIPE, f"# ozfig run {self.folder.name}/{RECIPE}\n{dump(recipe)}")

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.folder / name

    @property
    def report(self) -> Path:
        """The page of what was measured; its figures lie beside it as report.json. Raises UserError before that."""
        page = self.stage("evaluate") / "report.html"
        if self.manifest("evaluate") is None or not page.is_file():
            raise UserError(f"{self.folder}: nothing measured yet; run: ozfig evaluate {self.folder}/{RECIPE}")
        return page

    def manifest(self, stage: str) -> Manifest | None:
        """What a stage did, or None when it has not finished."""
        path = self.stage(stage) / "manifest.json"
        return Manifest.from_row(files.read_json(path)) if path.exists() else None

    def write_manifest(self, manifest: Manifest) -> None:
        """Declare a stage finished."""
        files.write_json(self.stage(manifest.stage) / "manifest.json", manifest.to_row())

    def is_intact(self, manifest: Manifest) -> bool:
        """Whether every output that the manifest names is still there, unchanged."""
        folder = self.stage(manifest.stage)
        return all((folder / p).exists() and files.sha256_path(folder / p) == h for p, h in manifest.outputs.items())

    def models(self) -> dict[str, ModelRef]:
        """The run's models by point: base, tuned, quantised. Those inside the run moved with it."""
        path = self.folder / "models.json"
        return self._models(files.read_json(path) if path.exists() else {})

    def made(self, stage: str) -> dict[str, ModelRef]:
        """The models that a finished stage gave; none where its manifest names none."""
        manifest = self.manifest(stage)
        return self._models(manifest.models) if manifest else {}

    def write_models(self, models: dict[str, ModelRef]) -> None:
        """Record where the run's models are."""
        files.write_json(self.folder / "models.json", self.rows(models))

    def rows(self, models: dict[str, ModelRef]) -> dict[str, dict[str, Any]]:
        """References to models as JSON objects; paths inside the run are relative to it."""
        inside = str(self.folder.resolve()) + "/"
        rows = {}
        for point, ref in models.items():
            local = replace(ref, path=ref.path.removeprefix(inside), base=ref.base.removeprefix(inside))
            rows[point] = local.to_row()
        return rows

    def _models(self, rows: dict[str, Any]) -> dict[str, ModelRef]:
        return {point: self._rebased(ModelRef.from_row(row), self.folder.resolve()) for point, row in rows.items()}

    @staticmethod
    def _rebased(ref: ModelRef, folder: Path) -> ModelRef:
        """A reference with its relative paths made absolute."""
        if ref.kind == "openai":
            return ref
        return replace(ref, path=str(folder / ref.path), base=str(folder / ref.base) if ref.base else "")

    @property
    def is_busy(self) -> bool:
        """Whether an ozfig works in the folder just now."""
        if not (self.folder / LOCK).exists() or not os.access(self.folder / LOCK, os.W_OK):
            return False
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process while the block runs. Raises UserError when another one works in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK, timeout=0.2)  # who only asks whether it is busy holds it for an instant
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"{self.folder}: another ozfig is working in this run; wait for it or choose --name"
            ) from None
        try:
            for left_over in self.folder.rglob("*.part"):  # of a process that was killed while it wrote
                if left_over.is_file():
                    left_over.unlink()
            yield
        finally:
            lock.release()


def runs_in(folder: Path) -> list[Run]:
    """The runs of a folder, by name; none when the folder is one itself or is not there."""
    if (folder / RECIPE).exists():
        return []
    return [Run(path.parent) for path in sorted(folder.glob(f"*/{RECIPE}"))]
