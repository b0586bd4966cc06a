"""The tune stage: prepared examples and a base model in, an adapter or a model out."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig

from ozfig import console, files
from ozfig.engines.loading import context_length, load_tokenizer
from ozfig.tune import adapters, checkpoints, group, heads, machine, sharding, trainer
from ozfig.tune.launch import Launcher, chosen
from ozfig.tune.tokens import TokenSet
from ozfig.types import Example, Job, ModelRef, Outcome

SHOWN = "shown_tokens.json"
HARM = 1.1  # the last loss over the first; less is the noise of a few steps


def run(job: Job, launcher: Launcher | None = None) -> Outcome:
    """Tune the base on the prepared pairs, in the processes that the recipe asks for or that `launcher` starts.

    Outputs: `adapter/` (PEFT's layout) or, for method full, `model/`, and `shown_tokens.json`, a few rows
    as runs of [text, trained]. Raises UserError when nothing can be trained on.
    """
    section = machine.resolve(job.section)
    sharding.settle(section, Path(job.models["base"].path))  # refused before anything starts
    launcher = launcher or chosen(section.processes, section.device)
    outcome: Outcome = launcher(tune, job)
    return outcome


def tune(job: Job) -> Outcome:
    """The same in one process: alone, or as one of a group, whose first writes the files."""
    base = job.models["base"]
    section = machine.resolve(job.section.model_copy(update={"head": base.head or "causal"}))
    section = sharding.settle(section, Path(base.path))
    head = heads.find(section.head)
    base_folder = Path(base.path)
    tokenizer = load_tokenizer(base_folder, section.own_template, base.head)
    examples = [Example.from_row(row) for row in files.read_jsonl(job.inputs["train"])]
    config = AutoConfig.from_pretrained(base_folder, local_files_only=True, trust_remote_code=False)
    data = head.encode_all(examples, tokenizer, section, job.system, context_length(config, tokenizer))
    if group.leads():
        files.write_json(job.folder / SHOWN, head.show(data.rows, tokenizer))

    lora = section.method != "full"
    model = adapters.load_base(base_folder, section, base.head)
    stored = model.dtype
    model = adapters.attach(model, section, job.seed)
    metrics = trainer.train(model, tokenizer, data, section, job.folder, job.seed)

    output = "adapter" if lora else "model"
    target = job.folder / output
    state = sharding.gathered(model)
    if not group.leads():
        return Outcome([])
    with checkpoints.disk_may_fill(job.folder):
        if lora:
            adapters.save_adapter(model, tokenizer, target, base.name, base_folder, state)
        else:
            adapters.save_model(model, tokenizer, target, stored, base_folder, state)
    trainer.remove_checkpoints(job.folder)
    became = {"head": section.head, "max_length": data.max_length, **metrics.pop("resolved")}
    _tell(metrics["first_loss"], metrics["final_loss"])
    return Outcome(
        outputs=[output, SHOWN],
        metrics={"examples": len(examples), **_lost(data), **metrics},
        models={"tuned": _reference(job.name, target, base, lora)},
        resolved={f"tune.{name}": value for name, value in became.items()},
    )


def _lost(data: TokenSet) -> dict[str, int]:
    """What of the examples did not enter training whole, or at all."""
    return {
        "passages_cut": data.cut,
        "rows_cut": data.rows_cut,
        "rows_dropped_long": data.dropped_long,
        "rows_without_loss": data.without_loss,
        **data.left_out,
    }


def _tell(first: float, last: float) -> None:
    """Say so where training did harm: a rate that is too high need not end in a loss that is no number."""
    if last > HARM * first:
        console.warn(f"the loss rose from {first:.2f} to {last:.2f}; try a smaller tune.learning_rate")


def _reference(name: str, folder: Path, base: ModelRef, lora: bool) -> ModelRef:
    """How the following stages find the tuned model."""
    if lora:
        digest = files.sha256_path(folder / "adapter_model.safetensors")
        return ModelRef("adapter", str(folder), name, base=base.path, sha256=digest, head=base.head)
    return ModelRef("transformers", str(folder), name, sha256=files.sha256_path(folder), head=base.head)
