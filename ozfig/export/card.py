"""The model card: what the model is, how good, how made, and what not to do with it, from the run's own records.

Front matter as the hub reads it: https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ozfig import __version__, console, files
from ozfig.export import licences
from ozfig.recipe import Recipe
from ozfig.runs import Run

TASKS = {"causal": "text-generation", "seq2seq": "text2text-generation", "span": "question-answering"}
TEMPLATES = Path(__file__).parent / "templates"
NORMAL = 1.96  # standard errors to either side of a mean in a 95 % interval
SHOWN = ("method", "rank", "alpha", "epochs", "learning_rate", "schedule", "batch_tokens", "max_length")


def text(run: Run, repository: str, published: dict[str, Path]) -> str:
    """The card of a run's model for a repository that holds `published`, local files by their paths there.

    Warns where the base's licence is not known.
    """
    recipe, base = run.recipe, run.models()["base"]
    report = files.read_json(run.stage("evaluate") / "report.json") if run.manifest("evaluate") else {}
    scores = _scores(report)
    inherited = licences.inherited(Path(base.path))
    if "license" not in inherited:
        console.warn(f"the licence of {base.name} is not stated in its folder: the card says other; edit it")
    front = _front(recipe, base.name, {"license": "other", **inherited}, scores)
    quantised = run.models().get("quantised")
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("card.md.j2").render(
        front=yaml.safe_dump(front, sort_keys=False, allow_unicode=True),
        name=recipe.name,
        base=base.name,
        adapter=recipe.tune.method != "full",
        version=__version__,
        repository=repository,
        sources=_sources(recipe),
        rows=[{"path": n, "what": _what(n), "bytes": p.stat().st_size} for n, p in sorted(published.items())],
        gguf=Path(quantised.path).name if quantised else "",
        system=recipe.system,
        scores=scores,
        verdict=report.get("verdict", ""),
        parity=_metrics(run, "export").get("files", {}),
        training=_training(run, recipe),
        license=front["license"],
    )


def _front(recipe: Recipe, base: str, inherited: dict[str, Any], scores: list[dict[str, Any]]) -> dict[str, Any]:
    """The card's front matter."""
    lora, task = recipe.tune.method != "full", TASKS.get(getattr(recipe.tune, "head", "causal"), TASKS["causal"])
    front: dict[str, Any] = dict(inherited)
    if _is_hub(base):
        front |= {"base_model": base, "base_model_relation": "adapter" if lora else "finetune"}
    front |= {"library_name": "peft" if lora else "transformers", "pipeline_tag": task}
    hubs = [source.hub for source in recipe.gather.sources if source.kind == "dataset" and source.hub]
    front |= {"datasets": hubs} if hubs else {}
    front["tags"] = ["ozfig", "question-answering", "gguf", *(["lora"] if lora else [])]
    if scores:
        front["model-index"] = [{"name": recipe.name, "results": _results(recipe, task, scores)}]
    return front


def _results(recipe: Recipe, task: str, scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scores as the hub's model index has them; it knows no intervals, so they stand in the names."""
    metrics = [
        {
            "type": row["metric"],
            "value": row["mean"],
            "name": f"{row['metric']}, {row['model']}, {row['condition']} "
            f"(95 % interval {row['low']:.4f} to {row['high']:.4f}, n={row['n']})",
        }
        for row in scores
    ]
    dataset = {"name": f"held-out questions of {recipe.name}", "type": "custom"}
    return [{"task": {"type": task}, "dataset": dataset, "metrics": metrics}]


def _scores(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every measured mean with its interval."""
    rows = report.get("scores", [])
    half = [NORMAL * row["stderr"] for row in rows]
    return [{**row, "low": row["mean"] - h, "high": row["mean"] + h} for row, h in zip(rows, half, strict=True)]


def _training(run: Run, recipe: Recipe) -> dict[str, Any]:
    """How it was tuned, in rows of a table."""
    known = recipe.tune.model_dump()
    prepared, tuned = _metrics(run, "prepare"), _metrics(run, "tune")
    counts = {
        "pairs": prepared.get("train"),
        "held-out questions": prepared.get("held_out"),
        "tokens a pass": tuned.get("tokens"),
        "tokens with a loss": tuned.get("trained_tokens"),
        "trained parameters": tuned.get("trainable_parameters"),
    }
    shown = {key.replace("_", " "): known[key] for key in SHOWN if key in known}
    counted = {name: f"{value:,}" for name, value in counts.items() if value is not None}
    return shown | {"seed": recipe.seed} | counted


def _metrics(run: Run, stage: str) -> dict[str, Any]:
    """What a stage noted; empty where it has not run."""
    manifest = run.manifest(stage)
    return manifest.metrics if manifest else {}


def _sources(recipe: Recipe) -> list[str]:
    """Where the text came from: addresses and hub ids, of local files only the name."""
    found = []
    for source in recipe.gather.sources:
        place = getattr(source, "url", "") or getattr(source, "hub", "")
        pages = getattr(source, "urls", [])
        local = getattr(source, "path", "") or getattr(source, "urls_from", "")
        found.append(place or (pages[0] if pages else Path(local).name))
    return found


def _is_hub(base: str) -> bool:
    """Whether a model's name is one of the hub's."""
    return base.count("/") == 1


def _what(name: str) -> str:
    """What a published file is for."""
    if name.endswith(".gguf"):
        return f"{name.split('.')[-2]} for llama.cpp, Ollama and others, with vocabulary and chat template"
    kinds = {
        "Modelfile": "recipe for Ollama",
        "adapter_model.safetensors": "LoRA adapter",
        "adapter_config.json": "its settings",
    }
    return kinds.get(name, "weights" if name.endswith(".safetensors") else "tokenizer and settings")
