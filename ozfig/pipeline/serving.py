"""What `ozfig serve` and `ozfig chat` answer with: the models of runs, of files and of elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ozfig import files, prompts, recipes
from ozfig.engines import weights
from ozfig.errors import UserError
from ozfig.recipe import Recipe
from ozfig.runs import RECIPE, Run
from ozfig.types import Example, ModelRef

FIRST_QUESTIONS = 4


@dataclass(frozen=True)
class Served:
    """The models, the default first, its run's recipe if it has one, and a few questions to begin with."""

    models: list[ModelRef]
    recipe: Recipe | None = None
    questions: list[str] = field(default_factory=list)
    run: Path | None = None

    @property
    def model(self) -> ModelRef:
        """The default."""
        return self.models[0]


def served(targets: Sequence[str], settings: list[str] | None = None) -> Served:
    """The models of runs and GGUF files; `settings` change the first run's recipe for this serving.

    Recipe and questions are the first target's. A run is served by its quantised file, or by its merged model where
    its head has no such files; its base, its tuned model and its other files are there too, as `site/base`,
    `site/tuned` and `site/Q8_0`. GGUF files of the hub or behind a URL are fetched when they are loaded. Raises
    UserError when a target is none of these, or the run has exported nothing yet.
    """
    found = [_served(target, settings or [] if i == 0 else []) for i, target in enumerate(targets)]
    models = [found[0].model, *(model for each in found for model in each.models if model != found[0].model)]
    return replace(found[0], models=models)


def _served(target: str, settings: list[str]) -> Served:
    path = Path(target).expanduser()
    elsewhere = _elsewhere(target)
    if settings and (elsewhere or path.suffix == ".gguf"):
        raise UserError("--set changes a run's recipe; a model alone has none")
    if elsewhere:
        return Served([elsewhere])
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"{target}: no such file")
        return Served([ModelRef("gguf", str(path.resolve()), path.stem, sha256=files.sha256_path(path))])
    run = Run.open(path)
    ref = _exported(run)
    if ref is None or not Path(ref.path).exists():
        raise UserError(f"{target}: nothing exported yet; finish it with: ozfig run {target}/recipe.yaml")
    held_out = run.stage("prepare") / "held_out.jsonl"  # absent where only the file to serve was copied
    asked = [Example.from_row(row) for row in files.read_jsonl(held_out)] if held_out.exists() else []
    recipe = recipes.load(Recipe, run.folder / RECIPE, settings)
    others = [replace(other, name=f"{recipe.name}/{point}") for point, other in _others(run, ref)]
    return Served([replace(ref, name=recipe.name), *others], recipe, _first_questions(asked, ref), run.folder)


def _elsewhere(target: str) -> ModelRef | None:
    """A model that is not on this disk: a GGUF file by its address, or an OpenAI-compatible server."""
    if weights.is_address(target):
        return ModelRef("gguf", target, weights.called(target), sha256=target.partition("#sha256=")[2])
    if files.is_url(target):
        return ModelRef("openai", target, urlsplit(target).hostname or target)
    return None


def _others(run: Run, ref: ModelRef) -> list[tuple[str, ModelRef]]:
    """A run's models beside the one that it is served by, where their files are on this machine."""
    rows = run.models().items()
    wanted = [(p, m) for p, m in rows if p != "quantised" and m.path != ref.path and not (p == "tuned" and m.head)]
    return [(p, m) for p, m in wanted if all(Path(path).exists() for path in (m.path, m.base) if path)]


def _exported(run: Run) -> ModelRef | None:
    """What a run is served by; None where nothing is exported."""
    models = run.models()
    tuned = models.get("tuned")
    exported, trained = run.manifest("export"), run.manifest("tune")
    if tuned and tuned.head and exported:
        if trained and exported.inputs.get("adapter") not in trained.outputs.values():
            return None  # tuned anew since
        merged = str((run.stage("export") / "merged").resolve())
        return ModelRef("transformers", merged, tuned.name, sha256=tuned.sha256, head=tuned.head)
    return models.get("quantised")


def _first_questions(asked: list[Example], ref: ModelRef) -> list[str]:
    """The shortest questions to begin with; for a model that marks answers with the passage that it needs."""
    shortest = sorted(asked, key=lambda e: len(e.question))[:FIRST_QUESTIONS]
    return [prompts.ask(e.question, passage=e.context if ref.head == "span" else "")[0].content for e in shortest]
