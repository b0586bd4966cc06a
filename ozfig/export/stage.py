"""The stage: merged weights, then one GGUF file for each quantisation, each checked before it counts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.errors import OzfigError
from ozfig.export import gguf, modelfile, speed, vocabulary
from ozfig.export.merge import merge
from ozfig.export.parity import Parity
from ozfig.types import Example, Job, ModelRef, Outcome


def run(job: Job) -> Outcome:
    """Fill the folder with merged/, <name>.<quant>.gguf, a Modelfile and, not hashed, speed.json.

    A seq2seq or span model is merged only: it has no GGUF files here. It starts over after a kill. Raises UserError
    for a model that GGUF has no layout for, ParityError when a file does not behave like the model that was trained.
    """
    folder = job.folder
    tuned = replace(job.models["tuned"], path=str(job.inputs["adapter"]))
    shutil.rmtree(folder / "merged", ignore_errors=True)
    merge(tuned, folder / "merged")
    if tuned.head:
        return Outcome(["merged"])
    made = _written(job)
    metrics = _checked(job, tuned, made)
    files.write_json(folder / speed.NAME, {ref.quantisation: speed.measure(Path(ref.path)) for ref in made})
    files.write_text(folder / "Modelfile", modelfile.text(folder / "merged", Path(made[0].path).name, job.system))
    return Outcome(["merged", *(Path(ref.path).name for ref in made), "Modelfile"], {"files": metrics}, _models(made))


def _models(made: list[ModelRef]) -> dict[str, ModelRef]:
    """Each file by its quantisation, and the first as what is measured and served."""
    return {"quantised": made[0], **{ref.quantisation: ref for ref in made}}


def _written(job: Job) -> list[ModelRef]:
    """The file of each quantisation, all made in one pass from a lossless one."""
    merged, whole = job.folder / "merged", job.folder / "weights.gguf"
    targets = {quant: job.folder / f"{job.name}.{quant}.gguf" for quant in job.section.quant}
    vocabulary.add(merged)
    gguf.convert(merged, whole, job.name)
    gguf.quantised(whole, targets)
    whole.unlink()
    return [
        ModelRef("gguf", str(path), job.name, str(merged), files.sha256_path(path), quant)
        for quant, path in targets.items()
    ]


def _checked(job: Job, tuned: ModelRef, made: list[ModelRef]) -> dict[str, Any]:
    """The figures of each file; one that fails its check is renamed, so that nobody ships it."""
    held_out = job.inputs.get("held_out")
    examples = [Example.from_row(row) for row in files.read_jsonl(held_out)] if held_out and held_out.exists() else []
    metrics: dict[str, Any] = {}
    with Parity(tuned, examples, job.system, job.section.limits, job.folder) as parity:
        for ref in made:
            try:
                metrics[ref.quantisation] = {**gguf.figures(Path(ref.path)), "parity": parity.check(ref)}
            except OzfigError:
                Path(ref.path).rename(f"{ref.path}.failed")
                raise
    return metrics
