"""The stage: merged weights, then one GGUF file for each quantisation, each checked before it counts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.errors import OzfigError
from ozfig.export import gguf, parity
from ozfig.export.merge import merge
from ozfig.types import Job, ModelRef, Outcome


def run(job: Job) -> Outcome:
    """Fill the folder with merged/ and <name>.<quant>.gguf; returns the first quantisation as `quantised`.

    A seq2seq or span model is merged only: it has no GGUF files here.
    It starts over after a kill, which costs seconds. Raises UserError for a model that GGUF has no layout for,
    ParityError when a file does not behave like the weights that it was made from.
    """
    folder, quants = job.folder, list(dict.fromkeys(job.section.quant))
    merged, full = folder / "merged", folder / f"{job.name}.F16.gguf"
    shutil.rmtree(merged, ignore_errors=True)
    merge(replace(job.models["tuned"], path=str(job.inputs["adapter"])), merged)
    if job.models["tuned"].head:
        return Outcome(["merged"])
    gguf.convert(merged, full, job.name)
    made: list[ModelRef] = []
    metrics: dict[str, Any] = {}
    for quant in quants:
        target = folder / f"{job.name}.{quant}.gguf"
        if target != full:
            gguf.quantised(full, target, quant)
        ref = ModelRef("gguf", str(target), job.name, str(merged), files.sha256_path(target), quant)
        metrics[quant] = {**gguf.figures(target), "parity": _checked(ref, job.system)}
        made.append(ref)
    if "F16" not in quants:
        full.unlink()
    return Outcome(["merged", *(Path(ref.path).name for ref in made)], {"files": metrics}, _models(made))


def _models(made: list[ModelRef]) -> dict[str, ModelRef]:
    """Each file by its quantisation, and the first as what is measured and served."""
    return {"quantised": made[0], **{ref.quantisation: ref for ref in made}}


def _checked(ref: ModelRef, system: str) -> dict[str, Any]:
    """The parity figures of a file; one that fails is renamed, so that nobody ships it."""
    try:
        return parity.check(ref, system)
    except OzfigError:
        Path(ref.path).rename(f"{ref.path}.failed")
        raise
