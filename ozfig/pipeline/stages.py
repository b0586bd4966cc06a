"""The stages in their order: what each reads of earlier ones, and what its result depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from ozfig import files, recipes
from ozfig.engines.resolve import resolve
from ozfig.forecast import book
from ozfig.recipe import Recipe
from ozfig.recipe.export import Quant
from ozfig.runs import EDITS, RECIPE, STAGES, Run
from ozfig.types import ModelRef

POINTS = ("base", "tuned", "quantised")


@dataclass(frozen=True)
class Stage:
    """What a stage reads of earlier ones and what else its result depends on.

    `inputs` maps the names that the stage knows to files of the run; `reads` are further files that it
    only shows, which do not enter its key. `models` are the points that it needs, `makes` those that it
    can give. Raise `version` when the same input would give another output.
    """

    name: str
    version: int = 1
    inputs: dict[str, str] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("seed",)
    makes: tuple[str, ...] = ()

    def paths(self, recipe: Recipe, run: Run) -> dict[str, Path]:
        """The files that enter the stage's key, by the names it knows."""
        found = {name: run.folder / path for name, path in self.inputs.items()}
        if self.name == "export":
            found["adapter"] = run.folder / "tune" / ("model" if recipe.tune.method == "full" else "adapter")
        return found

    def hashes(self, recipe: Recipe, run: Run) -> dict[str, str]:
        """The hash of each of those files that is there."""
        return {name: files.sha256_path(path) for name, path in self.paths(recipe, run).items() if path.exists()}

    def needed(self, models: dict[str, ModelRef]) -> dict[str, ModelRef]:
        """The models that it needs; who needs the quantised one is given every exported file."""
        every = "quantised" in self.models
        return {point: ref for point, ref in models.items() if point in self.models or (every and ref.quantisation)}

    def base(self, recipe: Recipe, models: dict[str, ModelRef]) -> dict[str, ModelRef]:
        """The base model, found (and downloaded, if it is the hub's) when the first stage that needs it comes."""
        if "base" in models or "base" not in self.models:
            return {}
        return {"base": resolve(recipe.base, recipe.tune.head)}

    def key(self, recipe: Recipe, hashes: dict[str, str], models: dict[str, ModelRef]) -> str:
        """The hash of its version, section, inputs' and models' hashes, and what else it uses of the recipe."""
        section = getattr(recipe, self.name)
        named = {str(path): files.sha256_path(path) for path in recipes.paths_in(section)}
        return files.sha256_value(
            {
                "stage": [self.name, self.version],
                "section": recipes.content_hash(section, named),
                "inputs": hashes,
                "models": {point: ref.sha256 for point, ref in self.needed(models).items()},
                "uses": {name: getattr(recipe, name) for name in self.uses},
            }
        )


PIPELINE = [
    Stage("gather", version=3, uses=()),
    Stage(
        "prepare",
        version=4,
        inputs={
            "documents": "gather/documents.jsonl",
            "examples": "gather/examples.jsonl",
            "edits": EDITS,
        },
        models=("base",),
        uses=("seed", "system"),
    ),
    Stage("tune", inputs={"train": "prepare/train.jsonl"}, models=("base",), uses=("seed", "system"), makes=("tuned",)),
    Stage(
        "export",
        version=2,
        inputs={"held_out": "prepare/held_out.jsonl"},
        models=("base", "tuned"),
        uses=("name", "system"),
        makes=("quantised", *get_args(Quant)),
    ),
    Stage(
        "evaluate",
        version=3,
        inputs={
            "held_out": "prepare/held_out.jsonl",
            "train": "prepare/train.jsonl",
            "passages": "prepare/index/passages.jsonl",
            "units": "prepare/index/starts.npy",
        },
        reads={
            **{f"manifest_{name}": f"{name}/manifest.json" for name in STAGES[:-1]},
            "index": "prepare/index",
            "dropped": "prepare/dropped.jsonl",
            "recipe": RECIPE,
            "tune_log": "tune/log.jsonl",
            "validation": "tune/validation.jsonl",
            "speed": "tune/speed.json",
            "file_speed": "export/speed.json",
            "shown_tokens": "tune/shown_tokens.json",
            "plan": book.NAME,
        },
        models=("base", "tuned", "quantised"),
        uses=("seed", "system"),
    ),
]


def up_to(last: str) -> list[Stage]:
    """The stages up to and with the named one."""
    return PIPELINE[: STAGES.index(last) + 1]


def still_valid(models: dict[str, ModelRef], stage: Stage) -> dict[str, ModelRef]:
    """The models that a stage's new result leaves valid: not those that later stages made from the old one."""
    gone = {point for later in PIPELINE[PIPELINE.index(stage) :] for point in later.makes}
    return {point: ref for point, ref in models.items() if point not in gone}
