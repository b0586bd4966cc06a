"""The stage: held-out questions and up to three models in, samples, scores and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ozfig import __version__, files, registry
from ozfig.engines.transformers import load
from ozfig.evaluate import evidence, harness, panels, report, results, retrieved, verdict
from ozfig.evaluate.tasks.table import Measured
from ozfig.recipe import Evaluate
from ozfig.types import Example, Job, Outcome, Sample

PACKAGE = Path(__file__).parents[1]


def run(job: Job, open_engine: harness.Open = load) -> Outcome:
    """Measure every point under every condition and write the report.

    Outputs: samples.jsonl and report.json, and task_samples.jsonl where benchmarks are asked for. The folder
    also gets report.html and report.md, for people, and parts/, what each model said, from which a killed run
    goes on. Raises UserError when there are too few held-out questions.
    """
    section: Evaluate = job.section
    examples = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]
    items = harness.select(examples, section.limit)
    # a task that cannot run is found before hours of answering
    benchmarks = registry.find("benchmarks", "load")(section.tasks) if section.tasks else []
    wanted = "retrieved" in section.conditions
    found = retrieved.search(items, job.inputs.get("index"), section.passages) if wanted else None
    asked = harness.by_condition(items, section, found.context if found else None)
    work = harness.parts(asked, job.models, section, job.system, job.folder / "parts")
    said = harness.answer(work, job.models, section, open_engine)
    samples = harness.score(said, section)
    measured = registry.find("benchmarks", "measure")(benchmarks, job, open_engine) if benchmarks else None
    result = _report(job, samples, found.recall(items) if found else None, measured)
    files.write_jsonl(job.folder / "samples.jsonl", (sample.to_row() for sample in samples))
    if measured:
        files.write_jsonl(job.folder / "task_samples.jsonl", measured.samples)
    files.write_json(job.folder / "report.json", result)
    run_folder = f"{job.folder.parent.parent.name}/{job.folder.parent.name}"
    report.write(panels.Story(result, items, samples, evidence.read(job), run_folder), job.folder)
    return Outcome(
        outputs=["samples.jsonl", "report.json", *(["task_samples.jsonl"] if measured else [])],
        metrics={"questions": len(items), "verdict": result["verdict"]},
    )


def _report(
    job: Job, samples: list[Sample], retrieval: dict[str, Any] | None, measured: Measured | None
) -> dict[str, Any]:
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
        "scores": [s.to_row() for s in results.scores(samples, section.metrics)],
        "retrieval": retrieval,
        "comparisons": [c.to_row() for c in results.comparisons(samples, section.resamples, job.seed)],
    }
    if measured:
        found["versions"]["lm_eval"] = measured.lm_eval
        found["scores"] += [s.to_row() for s in measured.scores]
        found["comparisons"] += [c.to_row() for c in measured.comparisons]
        found["tasks"] = measured.tasks
    return {**found, "verdict": verdict.headline(found)}


def _exists(job: Job, name: str) -> bool:
    return name in job.inputs and job.inputs[name].exists()


def code_version() -> str:
    """The hash of the package's own Python files."""
    paths = sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts)
    return files.sha256_value({p.relative_to(PACKAGE).as_posix(): files.sha256_path(p) for p in paths})
