"""The stage: held-out questions and the models in, samples, scores and a report out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ozfig import __version__, files, registry
from ozfig.evaluate import (
    bertscore,
    evidence,
    harness,
    overlap,
    panels,
    points,
    report,
    results,
    retrieved,
    text,
    verdict,
)
from ozfig.evaluate.tasks.table import Measured
from ozfig.recipe import Evaluate
from ozfig.types import Comparison, Example, Job, ModelRef, Outcome, Sample, Score

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class _Asked:
    """Who is measured, and how: the models, what opens one, and where what each of them said is kept."""

    section: Evaluate
    models: dict[str, ModelRef]
    open_engine: harness.Open
    parts: Path


@dataclass
class _Figures:
    """What was measured: on the held-out questions, on the windows of a running text, on benchmarks."""

    scores: list[Score]
    compared: list[Comparison]
    windows: text.Measured = field(default_factory=dict)
    measured: Measured | None = None


def run(job: Job, open_engine: harness.Open | None = None) -> Outcome:
    """Measure every point under every condition and write the report.

    Outputs: samples.jsonl and report.json, and task_samples.jsonl where benchmarks are asked for. The folder
    also gets report.html and report.md, for people. What each model said lies in parts/ of the cache, from which
    a killed run goes on, and one that changes metrics alone. Raises UserError when there are too few held-out
    questions.
    """
    section, resolved = _resolved(job.section)
    models = points.chosen(section, job.models)
    asked = _Asked(section, models, open_engine or points.opener(section), job.cache / "parts")
    job = replace(job, section=section, models={**job.models, **models})
    examples = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]
    items = harness.select(examples, section.limit)
    # a task that cannot run is found before hours of answering
    benchmarks = registry.find("benchmarks", "load")(section.tasks) if section.tasks else []
    wanted = "retrieved" in section.conditions
    found = retrieved.search(items, job.inputs.get("index"), section.passages) if wanted else None
    samples = _samples(asked, job, items, found)
    plan = results.Plan(section.resamples, job.seed, points.steps(models), results.documents(items))
    figures = _figures(asked, samples, plan, benchmarks)
    result = _report(job, figures, found.recall(items) if found else None, harness.notes(models, section))
    outputs = _write(job, result, items, samples, figures)
    metrics = {"questions": len(items), "verdict": result["verdict"]}
    return Outcome(outputs=outputs, metrics=metrics, resolved=resolved)


def _samples(asked: _Asked, job: Job, items: list[Example], found: retrieved.Found | None) -> list[Sample]:
    """What every model said to the questions under each condition, scored."""
    section, models = asked.section, asked.models
    questions = harness.by_condition(items, section, found.context if found else None)
    work = harness.parts(questions, models, section, job.system, asked.parts)
    return harness.score(harness.answer(work, models, section, asked.open_engine), section, job.cache / "references")


def _figures(asked: _Asked, samples: list[Sample], plan: results.Plan, benchmarks: list[Any]) -> _Figures:
    """Every score and every paired comparison."""
    section, models, open_engine = asked.section, asked.models, asked.open_engine
    found = _Figures(results.scores(samples, section.metrics, plan), results.comparisons(samples, plan))
    if section.text:
        found.windows = text.measure(section.text, models, open_engine, asked.parts)
        found.scores += text.scores(section.text, found.windows)
        found.compared += text.comparisons(section.text, found.windows, plan.steps, section.resamples, plan.seed)
    if benchmarks:
        measure = registry.find("benchmarks", "measure")
        measured: Measured = measure(benchmarks, models, section, open_engine, asked.parts, plan)
        found.measured = measured
        found.scores += measured.scores
        found.compared += measured.comparisons
    return found


def _write(
    job: Job, result: dict[str, Any], items: list[Example], samples: list[Sample], figures: _Figures
) -> list[str]:
    """Write the figures, the samples and the pages; returns the names of the stage's outputs."""
    section, measured = job.section, figures.measured
    known = evidence.read(job)
    read = overlap.of_text(section.text, figures.windows) if section.text else {}
    result["overlap"] = overlap.measure(known.train, overlap.sets(items, measured) | read)
    files.write_jsonl(job.folder / "samples.jsonl", (sample.to_row() for sample in samples))
    if measured:
        files.write_jsonl(job.folder / "task_samples.jsonl", measured.samples)
    files.write_json(job.folder / "report.json", result)
    run_folder = f"{job.folder.parent.parent.name}/{job.folder.parent.name}"
    rows = measured.samples if measured else []
    report.write(panels.Story(result, items, samples, known, run_folder, rows), job.folder)
    return ["samples.jsonl", "report.json", *(["task_samples.jsonl"] if measured else [])]


def _resolved(section: Evaluate) -> tuple[Evaluate, dict[str, Any]]:
    """The section with BERTScore's encoder named, and what that changed."""
    if section.bertscore_model != "auto" or "bertscore" not in section.metrics:
        return section, {}
    model = bertscore.chosen(section.bertscore_model)
    return section.model_copy(update={"bertscore_model": model}), {"evaluate.bertscore_model": model}


def _report(job: Job, figures: _Figures, retrieval: dict[str, Any] | None, notes: list[str]) -> dict[str, Any]:
    """The contents of report.json: the same input gives the same bytes."""
    section: Evaluate = job.section
    hashed = {name: files.sha256_path(job.inputs[name]) for name in ("held_out", "train") if _exists(job, name)}
    found: dict[str, Any] = {
        "name": job.name,
        "base": job.models["base"].name if "base" in job.models else "",
        "seed": job.seed,
        "system": job.system,
        "settings": section.model_dump(mode="json"),
        "versions": {
            "ozfig": __version__,
            "code": code_version(),
            "data": hashed,
            "models": {point: ref.sha256 for point, ref in job.models.items()},
        },
        "scores": [s.to_row() for s in figures.scores],
        "retrieval": retrieval,
        "notes": notes,
        "comparisons": [c.to_row() for c in results.adjusted(figures.compared)],
    }
    if figures.measured:
        found["versions"]["lm_eval"] = figures.measured.lm_eval
        found["tasks"] = figures.measured.tasks
    return {**found, "verdict": verdict.headline(found)}


def _exists(job: Job, name: str) -> bool:
    return name in job.inputs and job.inputs[name].exists()


def code_version() -> str:
    """The hash of the package's own Python files."""
    paths = sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts)
    return files.sha256_value({p.relative_to(PACKAGE).as_posix(): files.sha256_path(p) for p in paths})
