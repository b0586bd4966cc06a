"""Training on `transformers.Trainer` over sequences of whole rows; a killed run ends with the same weights.

The order of the sequences is drawn once from the seed, so step s sees the same rows whether or not
the run was stopped, and a checkpoint counts only when it is whole.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers

from ozfig import console, files
from ozfig.engines.loading import quiet
from ozfig.recipe import Tune
from ozfig.tune import adapters, attention, checkpoints, fast, group, heads, losses, machine, sharding, tokens
from ozfig.tune.divide import divide
from ozfig.tune.plan import Plan, at_once, batch, make_plan
from ozfig.tune.validation import Validation
from ozfig.tune.watch import Watch, stop_signals

LOG = "log.jsonl"


def arguments(section: Tune, plan: Plan, folder: Path, seed: int) -> transformers.TrainingArguments:
    """Trainer's options. Full training keeps float32 weights and multiplies in the precision of the recipe."""
    full = section.method == "full"
    args = transformers.TrainingArguments(
        output_dir=str(folder / checkpoints.FOLDER),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=plan.per_step // group.size(),
        num_train_epochs=1,
        learning_rate=section.learning_rate,
        lr_scheduler_type=section.schedule if section.schedule != "constant" else "constant_with_warmup",
        warmup_steps=min(math.ceil(section.warmup * plan.steps), plan.steps - 1),  # the first one's rate is 0
        optim="adamw_torch_fused" if section.device != "mps" else "adamw_torch",
        weight_decay=section.weight_decay,
        max_grad_norm=1.0,
        bf16=full and section.precision == "bfloat16",
        fp16=section.precision == "float16",
        gradient_checkpointing=bool(section.recompute),
        gradient_checkpointing_kwargs={"use_reentrant": False},
        torch_compile=section.compile is True,
        seed=seed,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=section.device == "cuda",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=section.device == "cpu",
        **sharding.arguments(section),
    )
    # a sequence is packed for one device: with several GPUs Trainer would split a batch between them
    args._n_gpu = min(args.n_gpu, 1)
    return args


def _identity(model: Any, data: tokens.TokenSet, plan: Plan, section: Tune, seed: int) -> str:
    """A hash of all that the result depends on: a checkpoint of other data or options must not be continued."""
    starts = {name: p.detach().flatten()[:32].float().tolist() for name, p in model.named_parameters()}
    rows = [[row.ids, row.labels] for row in [*data.rows, *data.validation]]
    options = section.model_dump(mode="json", exclude={"checkpoint_minutes"})
    return files.sha256_value([starts, rows, plan.per_step, plan.packing, options, seed])


def remove_checkpoints(folder: Path) -> None:
    """Forget the way once the result is stored."""
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)


@dataclass
class Ready:
    """What training computes with, settled before it starts: see `prepare`."""

    section: Tune
    plan: Plan
    collate: Callable[..., dict[str, Any]]
    loss: Callable[..., torch.Tensor]
    group: Callable[[Sequence[tokens.Row]], list[list[tokens.Row]]]  # rows that are measured on at once


@contextmanager
def prepare(model: Any, tokenizer: Any, data: tokens.TokenSet, section: Tune, seed: int) -> Iterator[Ready]:
    """Settle what is `auto` and let the model compute in its quickest way within the block."""
    model.to(section.device)
    config = model.config.get_text_config()
    section = machine.micro_batch(section, config, max(row.longest for row in data.rows))
    if padded := heads.padded(model, tokenizer, data.rows, section, seed):
        plan = divide(padded.plan, group.size())
        yield Ready(section, plan, padded.batch, padded.loss, padded.group)
        return
    row_by_row = attention.suits_row_by_row(model)
    micro = int(section.micro_batch_tokens)
    if not row_by_row:  # a mask over the whole sequence costs its square
        micro = min(micro, attention.MASKED)
        section = section.model_copy(update={"micro_batch_tokens": micro})
    plan = make_plan(data.rows, section, seed, micro, lambda: attention.isolates_rows(model))
    plan = divide(plan, group.size())
    apart = plan.packing and row_by_row
    whole = section.sharding != "fsdp"  # parts that reach for another layer's weights need them in one piece
    head = losses.head_of(model) if whole else None
    autocast = machine.DTYPES[section.precision] if section.method == "full" else None
    with ExitStack() as stack:
        if whole:
            stack.enter_context(fast.quick_parts(model))
        else:
            console.say("  fsdp: without the quick parts and the fused loss")
        stack.enter_context(losses.pass_through(head))
        if apart:
            stack.enter_context(attention.row_by_row(model))
        measured = partial(at_once, micro=micro if plan.packing else 0)
        yield Ready(section, plan, partial(batch, bounds=apart), losses.Loss(head, autocast), measured)


def train(model: Any, tokenizer: Any, data: tokens.TokenSet, section: Tune, folder: Path, seed: int) -> dict[str, Any]:
    """Train a model from `adapters.attach` in place; returns figures without times, and what `auto` became.

    `section` comes from `machine.resolve`. Writes `plan.json` (steps and tokens to come), `log.jsonl` (step, loss
    in nats a trained token, learning rate, tokens so far) and `speed.json`, and keeps checkpoints until
    `remove_checkpoints`. Called again on the same folder it goes on from the newest one. Raises UserError when the
    loss is not a number, OutsideError when the disk is full, KeyboardInterrupt after a checkpoint when it was asked
    to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if section.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with checkpoints.disk_may_fill(folder), prepare(model, tokenizer, data, section, seed) as ready:
        console.say(f"  {summary(model, ready)}")
        return _run(model, tokenizer, data, ready, folder, seed)


def _run(model: Any, tokenizer: Any, data: tokens.TokenSet, ready: Ready, folder: Path, seed: int) -> dict[str, Any]:
    """The training itself."""
    section, plan = ready.section, ready.plan
    identity = _identity(model, data, plan, section, seed)
    resume = checkpoints.resumable(folder / checkpoints.FOLDER, identity)
    files.write_json(folder / "plan.json", {"steps": plan.steps, "tokens": plan.tokens_at[-1]})
    with ExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        bar = stack.enter_context(console.bar("tune", total=plan.tokens_at[-1], unit="tokens"))
        stack.enter_context(quiet())
        watch = Watch(bar, folder / LOG, plan.tokens_at, section.checkpoint_minutes, stop)
        held = [ready.collate([rows]) for rows in ready.group(data.validation)]
        validation = Validation(model, held, ready.loss, section, folder / "validation.jsonl")
        trainer = checkpoints.AtomicTrainer(
            model=model,
            args=arguments(section, plan, folder, seed),
            train_dataset=[plan.sequences[i] for i in plan.order],
            data_collator=ready.collate,
            processing_class=tokenizer,
            compute_loss_func=ready.loss,
            callbacks=[watch, validation] if held else [watch],
        )
        trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
        trainer.add_callback(sharding.CheckWrapped(trainer, section))
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if stop.asked:
        raise KeyboardInterrupt
    if held and section.keep == "best":
        validation.restore_best()
    seconds = time.monotonic() - watch.began
    trained = plan.tokens_at[trainer.state.global_step] - plan.tokens_at[checkpoints.step_of(resume)]
    if group.leads():
        rate = round(trained / seconds, 1)
        speed = {"tokens": trained, "seconds": round(seconds, 2), "tokens_per_second": rate}
        files.write_json(folder / "speed.json", speed)
    figures = _metrics(model, data, ready, [row["loss"] for row in files.read_jsonl(folder / LOG)])
    if held:
        figures |= {"best_step": validation.least["step"], "validation_loss": validation.least["loss"]}
    return figures


def _metrics(model: Any, data: tokens.TokenSet, ready: Ready, losses: list[float]) -> dict[str, Any]:
    """What was trained. The final loss is the mean over the last tenth of the steps."""
    last = losses[-max(1, len(losses) // 10) :]
    section, plan = ready.section, ready.plan
    found = {
        "rows": len(data.rows),
        "validation_rows": len(data.validation),
        "tokens": sum(len(row.ids) for row in data.rows),
        "trained_tokens": sum(row.trained for row in data.rows),
        "sequences": len(plan.order),
        "steps": len(losses),
        "epochs": section.epochs,
        "first_loss": losses[0],
        "final_loss": sum(last) / len(last),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "resolved": resolved(model, ready),
    }
    if section.device == "cuda":
        found["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return found


def resolved(model: Any, ready: Ready) -> dict[str, Any]:
    """What each `auto` of the section became."""
    names = ("micro_batch_tokens", "device", "precision", "recompute", "compile", "sharding")
    found = {name: getattr(ready.section, name) for name in names}
    found |= {"packing": ready.plan.packing, "batch_tokens": ready.plan.batch_tokens}
    return found | ({"target_modules": layers} if (layers := adapters.layers_of(model)) else {})


def summary(model: Any, ready: Ready) -> str:
    """One line that says how the model will be trained."""
    section, plan = ready.section, ready.plan
    what = section.method if section.method == "full" else f"{section.method} rank {section.rank}"
    extras = [name for name in ("rslora", "dora", "recompute", "compile") if getattr(section, name) is True]
    layers = f" on {', '.join(adapters.layers_of(model))}" if section.method != "full" else ""
    where = f"{section.precision} on {section.device}"
    where += f", {section.processes} processes by {section.sharding}" if section.processes > 1 else ""
    return (
        f"{' '.join([what, *extras])}{layers}; {where}; {plan.steps} steps of about "
        f"{plan.batch_tokens:,} tokens, {plan.per_step} {'packed micro-batch' if plan.packing else 'row'}"
        f"{'' if plan.per_step == 1 else 'es' if plan.packing else 's'} a step"
    )
