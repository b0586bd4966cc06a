"""The order of the stages; what is done is skipped. The only file that knows two stages."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from ozfig import __version__, console, earlier, files, prompts, recipes, registry, usage
from ozfig.engines import weights
from ozfig.engines.archive import is_url
from ozfig.engines.resolve import locate, resolve
from ozfig.errors import OzfigError, UserError
from ozfig.forecast import book
from ozfig.recipe import OtherModel, Pretrain, Recipe
from ozfig.recipe.export import Quant
from ozfig.runs import EDITS, RECIPE, STAGES, Run
from ozfig.types import Example, Job, Manifest, ModelRef, Outcome


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
        version=2,
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
            "shown_tokens": "tune/shown_tokens.json",
            "plan": book.NAME,
        },
        models=("base", "tuned", "quantised"),
        uses=("seed", "system"),
    ),
]
PACKAGES = ["torch", "transformers", "peft", "gguf", "xllamacpp", "html-to-markdown", "bm25s", "lm_eval"]


@dataclass
class Step:
    """What is known of a stage before it runs: `reason` says why it must, and is empty when it need not."""

    stage: Stage
    key: str
    reason: str


@dataclass
class Result:
    """What a run ended with: the object that `--json` prints."""

    run: Path
    seconds: float
    stages: dict[str, dict[str, Any]]
    models: dict[str, ModelRef]

    def to_json(self) -> dict[str, Any]:
        """The contract for scripts."""
        report = self.run / "evaluate" / "report.html"
        return {
            "run": str(self.run),
            "seconds": round(self.seconds, 2),
            "stages": self.stages,
            "models": {point: self.models[point].path if point in self.models else None for point in POINTS},
            "report": str(report) if report.exists() else None,
        }


POINTS = ("base", "tuned", "quantised")
FIRST_QUESTIONS = 4


def plan(recipe: Recipe, run: Run, until: str = STAGES[-1], refresh: bool = False) -> list[dict[str, str]]:
    """What each stage up to `until` would do, and why, without doing any of it."""
    check(recipe)
    models = run.models()
    rows, earlier = [], ""
    for stage in _until(until):
        section = getattr(recipe, stage.name)
        if earlier:
            reason = f"after {earlier}"
        else:
            models |= _base(stage, recipe, models)
            reason = _look(stage, recipe, run, models, refresh).reason
            earlier = stage.name if reason else ""
        does = ", ".join(s.kind for s in section.sources) if stage.name == "gather" else ""
        rows.append(
            {"stage": stage.name, "status": "run" if reason else "skip", "why": reason or "unchanged", "of": does}
        )
    return rows


def execute(
    recipe: Recipe,
    run: Run,
    until: str = STAGES[-1],
    refresh: bool = False,
    announce: Callable[[str, str, float], None] | None = None,
    skip: Collection[str] = (),
) -> Result:
    """Run every stage up to `until` that is not done, but for those to skip; the run folder is locked meanwhile.

    A stage that was killed starts again in its folder and continues what it can.
    """
    check(recipe)
    started = time.monotonic()
    with _removed_if_empty(run), run.lock(), earlier.recipe_kept(run):
        run.freeze(recipe)
        models = run.models()
        models.pop("base", None)
        report: dict[str, dict[str, Any]] = {}
        frozen = recipe
        for stage in (stage for stage in _until(until) if stage.name not in skip):
            began = time.monotonic()
            models |= _base(stage, recipe, models)
            step = _looked_back(stage, recipe, run, models, refresh)
            if step.reason:
                if stage.name == "tune":
                    book.open_book(recipe, run)
                outcome, manifest = _perform(step, recipe, run, models, refresh)
                models = _kept(models, stage) | outcome.models
                run.write_models(models)
                book.note(run, manifest)
                run.write_manifest(manifest)  # last: with it the stage counts as done
                earlier.forget(run, stage.name)
            elif made := run.made(stage.name):  # an earlier stage's new result had put them out of the run's models
                models |= made
                run.write_models(models)
            frozen = _resolved(frozen, run.manifest(stage.name))
            status = "done" if step.reason else "skipped"
            report[stage.name] = {"status": status, "seconds": round(time.monotonic() - began, 2)}
            if announce:
                announce(stage.name, status, time.monotonic() - began)
        run.freeze(frozen)
    return Result(run.folder, time.monotonic() - started, report, models)


@contextmanager
def _removed_if_empty(run: Run) -> Iterator[None]:
    """Take the folder of a new run away when its first stage fails with nothing in the cache to go on with."""
    is_new = not run.folder.exists()
    try:
        yield
    except OzfigError:
        kept = (path for path in (run.folder / "cache").rglob("*") if path.is_file())
        if is_new and run.manifest(STAGES[0]) is None and not any(kept):
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def shown_tokens(recipe: Recipe, run: Run, n: int) -> list[list[tuple[str, bool]]]:
    """`n` rows as the tune stage would train on them, as runs of (text, trained); the pairs are made if they must."""
    execute(recipe, run, "prepare")
    rows: list[list[tuple[str, bool]]] = registry.find("tokens", "shown")(
        recipe, resolve(recipe.base, recipe.tune.head), run.stage("prepare") / "train.jsonl", n
    )
    return rows


def _base(stage: Stage, recipe: Recipe, models: dict[str, ModelRef]) -> dict[str, ModelRef]:
    """The base model, found (and downloaded, if it is the hub's) when the first stage that needs it comes."""
    return {} if "base" in models or "base" not in stage.models else {"base": resolve(recipe.base, recipe.tune.head)}


def _kept(models: dict[str, ModelRef], stage: Stage) -> dict[str, ModelRef]:
    """The models that a stage's new result leaves valid: not those that later stages made from the old one."""
    gone = {point for later in PIPELINE[PIPELINE.index(stage) :] for point in later.makes}
    return {point: ref for point, ref in models.items() if point not in gone}


def _wanted(stage: Stage, models: dict[str, ModelRef]) -> dict[str, ModelRef]:
    """The models that a stage needs; who needs the quantised one is given every exported file."""
    every = "quantised" in stage.models
    return {point: ref for point, ref in models.items() if point in stage.models or (every and ref.quantisation)}


def check(recipe: Recipe) -> None:
    """Find what would fail later. Raises UserError for a file that is not there or a name that nothing has."""
    locate(recipe.base)
    for name in STAGES:
        for path in recipes.paths_in(getattr(recipe, name)):
            if not path.exists():
                raise UserError(f"{name}: no such file or folder: {path}")
    if recipe.tune.template != "auto":
        prompts.template(recipe.tune.template)
    for metric in recipe.evaluate.metrics:
        registry.known("metric", metric)
    for point in recipe.evaluate.points:
        if isinstance(point, OtherModel):
            if point.file and not point.file.is_file():
                raise UserError(f"evaluate.points: {point.name}: no such file: {point.model}")
            if not point.is_remote and not point.file:
                locate(point.model)
        elif point.isupper() and point not in recipe.export.quant:
            raise UserError(f"evaluate.points: {point} is not exported; add it to export.quant")
    if recipe.evaluate.tasks:
        registry.find("benchmarks", "names")(recipe.evaluate.tasks)


def _until(last: str) -> list[Stage]:
    """The stages up to and with the named one."""
    return PIPELINE[: STAGES.index(last) + 1]


def _inputs(stage: Stage, recipe: Recipe, run: Run) -> dict[str, Path]:
    """The files that a stage reads, by the names it knows."""
    inputs = {name: run.folder / path for name, path in stage.inputs.items()}
    if stage.name == "export":
        inputs["adapter"] = run.folder / "tune" / ("model" if recipe.tune.method == "full" else "adapter")
    return inputs


def _key(stage: Stage, recipe: Recipe, hashes: dict[str, str], models: dict[str, ModelRef]) -> str:
    """A stage's key: its version, section, inputs' and models' hashes, and what else it uses of the recipe."""
    section = getattr(recipe, stage.name)
    named = {str(path): files.sha256_path(path) for path in recipes.paths_in(section)}
    return files.sha256_value(
        {
            "stage": [stage.name, stage.version],
            "section": recipes.content_hash(section, named),
            "inputs": hashes,
            "models": {point: ref.sha256 for point, ref in _wanted(stage, models).items()},
            "uses": {name: getattr(recipe, name) for name in stage.uses},
        }
    )


def _hashes(stage: Stage, recipe: Recipe, run: Run) -> dict[str, str]:
    """The hash of each input that is there."""
    return {n: files.sha256_path(p) for n, p in _inputs(stage, recipe, run).items() if p.exists()}


def _look(stage: Stage, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool) -> Step:
    """Decide whether a stage has to run, and say why."""
    key = _key(stage, recipe, _hashes(stage, recipe, run), models)
    manifest = run.manifest(stage.name)
    if manifest is None:
        reason = "unfinished" if run.stage(stage.name).exists() else "never run"
    elif key not in (manifest.key, manifest.frozen_key):
        reason = "recipe or input changed"
    elif not run.is_intact(manifest):
        reason = "output missing or edited"
    else:
        reason = "sources asked again" if refresh and stage.name == "gather" else ""
    return Step(stage, key, reason)


def _looked_back(stage: Stage, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool) -> Step:
    """The same, after a result that waits aside was put back if it is the one that is asked for."""
    step = _look(stage, recipe, run, models, refresh)
    if step.reason:
        earlier.bring_back(run, stage.name, step.key)
    return _look(stage, recipe, run, models, refresh) if step.reason else step


def _perform(
    step: Step, recipe: Recipe, run: Run, models: dict[str, ModelRef], refresh: bool
) -> tuple[Outcome, Manifest]:
    """Run one stage; returns what it gives and the manifest that declares it done."""
    stage, folder = step.stage, run.stage(step.stage.name)
    manifest, marker = folder / "manifest.json", folder / "key.txt"
    unfinished = not manifest.exists() and marker.exists() and marker.read_text() == step.key
    aside = None if unfinished else earlier.put_aside(run, stage.name)  # what lies there was made from other input
    folder.mkdir(parents=True, exist_ok=True)
    manifest.unlink(missing_ok=True)
    files.write_text(marker, step.key)
    inputs = _inputs(stage, recipe, run) | {n: run.folder / p for n, p in stage.reads.items()}
    job = Job(
        name=recipe.name,
        section=getattr(recipe, stage.name),
        seed=recipe.seed,
        system=recipe.system,
        folder=folder.resolve(),
        inputs=inputs,
        models=_wanted(stage, models),
        cache=run.folder.resolve() / "cache" / stage.name,
        refresh=refresh,
    )
    with usage.measured() as used, earlier.kept(run, stage.name, aside):
        outcome: Outcome = registry.find("stage", stage.name)(job)
    hashes = _hashes(stage, recipe, run)
    frozen = _with(recipe, outcome.resolved)
    return outcome, Manifest(
        stage=stage.name,
        key=step.key,
        frozen_key=_key(stage, frozen, hashes, models),
        inputs=hashes,
        outputs={name: files.sha256_path(folder / name) for name in sorted(outcome.outputs)},
        metrics=outcome.metrics | ({"resolved": outcome.resolved} if outcome.resolved else {}),
        versions=_versions(),
        seconds=round(used.seconds, 2),
        peak_memory_mb=round(used.peak_memory_mb, 1),
        disk_mb=round(usage.disk_mb(folder), 2),
        continued=unfinished,
        models=run.rows(outcome.models),
    )


def _with(recipe: Recipe, resolved: dict[str, Any]) -> Recipe:
    """The recipe with `section.key` values put in place of each `auto`."""
    values = recipe.model_dump(mode="json")
    for key, value in resolved.items():
        section, name = key.split(".", 1)
        values[section][name] = value
    return recipes.parse(Recipe, values, recipe.name)


def _resolved(recipe: Recipe, manifest: Manifest | None) -> Recipe:
    """The recipe with what a stage's manifest says of its `auto` values."""
    return _with(recipe, manifest.metrics.get("resolved", {})) if manifest else recipe


def _versions() -> dict[str, str]:
    """Versions of what a result may depend on."""
    found = {"ozfig": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Served:
    """What `ozfig serve` answers with: the models, the default first, its run's recipe if it has one, and a few
    questions to begin with."""

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
    `site/tuned` and `site/Q8_0`. GGUF files
    of the hub or behind a URL are fetched when they are loaded. Raises UserError when a target is none of these, or the
    run has exported nothing yet.
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
    if is_url(target):
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
    if tuned and tuned.head and run.manifest("export"):
        merged = str((run.stage("export") / "merged").resolve())
        return ModelRef("transformers", merged, tuned.name, sha256=tuned.sha256, head=tuned.head)
    return models.get("quantised")


def _first_questions(asked: list[Example], ref: ModelRef) -> list[str]:
    """The shortest questions to begin with; for a model that marks answers with the passage that it needs."""
    shortest = sorted(asked, key=lambda e: len(e.question))[:FIRST_QUESTIONS]
    return [prompts.ask(e.question, passage=e.context if ref.head == "span" else "")[0].content for e in shortest]


def pretrain(section: Pretrain, runs: Path) -> dict[str, Any]:
    """Train a base model on text, then on instructions, in `runs/<name>`; both phases continue when killed.

    The second phase is the ordinary pipeline up to `tune`, with the first phase's model as its base.
    """
    folder = runs / section.name
    with Run(folder / "text").lock():
        figures: dict[str, Any] = registry.find("pretrain", "model")(section, folder / "text")
    if section.instruct is None:
        return figures
    values = section.instruct.model_dump(mode="json")
    recipe = recipes.parse(
        Recipe,
        {
            "name": "instruct",
            "seed": section.seed,
            "system": "",
            "base": str(Path(figures["model"]).resolve()),
            **values,
        },
        section.name,
    )
    result = execute(recipe, Run(folder / "instruct"), until="tune", announce=console.stage_line)
    return {**figures, "model": result.models["tuned"].path}
