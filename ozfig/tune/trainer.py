"""Training on `transformers.Trainer` over sequences of whole rows; a killed run ends with the same weights.

The order of the sequences is drawn once from the seed, so step s sees the same rows whether or not
the run was stopped, and a checkpoint counts only when it is whole.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import transformers

from ozfig import console, files
from ozfig.engines.loading import quiet
from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import adapters, attention, heads, tokens
from ozfig.tune.plan import PACKED_LENGTH, Plan, batch, loss, make_plan

CHECKPOINTS = "checkpoints"
UNFINISHED = "unfinished"
LOG = "log.jsonl"


class AtomicTrainer(transformers.Trainer):  # type: ignore[misc]
    """A Trainer whose checkpoints appear under their name only when they are whole; the newest is kept."""

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(self.args.output_dir) / UNFINISHED)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        super()._save_checkpoint(model, trial)
        (written,) = (folder / UNFINISHED).iterdir()
        for path in written.rglob("*"):
            if path.is_file():
                with path.open("rb") as data:
                    os.fsync(data.fileno())
        older = _checkpoints(folder)
        written.rename(folder / written.name)
        for path in older:
            shutil.rmtree(path)


def _checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))


class Stop:
    """Whether the user asked to stop."""

    asked = False


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn the first Ctrl-C or termination into a request; a second one acts at once, as it did before."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        restore()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


class Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Shows and logs each step, refuses figures that are not numbers, says when a checkpoint is due."""

    def __init__(self, bar: console.Bar, log: Path, tokens_at: list[int], minutes: float, stop: Stop) -> None:
        self.bar, self.log, self.tokens_at, self.seconds, self.stop = bar, log, tokens_at, minutes * 60, stop
        self.began = self.saved = time.monotonic()

    def _row(self, entry: dict[str, Any]) -> dict[str, Any]:
        row = {key: entry[key] for key in ("step", "loss", "learning_rate")}
        return {**row, "tokens": self.tokens_at[entry["step"]]}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the log back to the checkpoint: steps after it will be written again."""
        files.write_jsonl(self.log, (self._row(entry) for entry in state.log_history))
        self.bar.advance(self.tokens_at[state.global_step])
        self.began = self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint when time is up or the user wants to stop."""
        if self.stop.asked:
            control.should_save = control.should_training_stop = True
        elif time.monotonic() - self.saved > self.seconds and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the minutes from the checkpoint just written."""
        self.saved = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Write a step's figures. It comes before the step is saved, so no checkpoint holds broken weights."""
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("grad_norm", 0.0)):
            raise UserError(
                f"training diverged at step {state.global_step}: the loss is {logs['loss']:.4g} and its gradient "
                f"{logs.get('grad_norm', math.nan):.4g}; lower tune.learning_rate (it is {args.learning_rate:g})"
            )
        files.append_line(self.log, self._row({**logs, "step": state.global_step}))
        done = self.tokens_at[state.global_step] - self.tokens_at[state.global_step - 1]
        self.bar.advance(done, loss=f"{logs['loss']:.3f}")


def arguments(section: Tune, plan: Plan, folder: Path, seed: int) -> transformers.TrainingArguments:
    """Trainer's options. Full training keeps float32 weights and multiplies in bf16 where that is quick."""
    args = transformers.TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=plan.per_step,
        num_train_epochs=1,
        learning_rate=section.learning_rate,
        lr_scheduler_type=section.schedule,
        warmup_steps=math.ceil(section.warmup * plan.steps),
        optim="adamw_torch",
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=section.method == "full" and adapters.has_fast_bf16(),
        seed=seed,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    # a sequence is packed for one device: with several GPUs Trainer would split a batch between them
    args._n_gpu = min(args.n_gpu, 1)
    return args


def _identity(model: Any, plan: Plan, section: Tune, seed: int) -> str:
    """A hash of all that the result depends on: a checkpoint of other data or options must not be continued."""
    starts = {name: p.detach().flatten()[:32].float().tolist() for name, p in model.named_parameters()}
    rows = [[[row.ids, row.labels] for row in sequence] for sequence in plan.sequences]
    options = section.model_dump(mode="json", exclude={"checkpoint_minutes"})
    return files.sha256_value([starts, rows, plan.order, plan.per_step, options, seed])


def _resumable(folder: Path, identity: str) -> Path | None:
    """The checkpoint to go on from; checkpoints of another training are removed."""
    note = folder / "identity.json"
    if not note.exists() or files.read_json(note) != identity:
        shutil.rmtree(folder, ignore_errors=True)
        files.write_json(note, identity)
    found = _checkpoints(folder)
    return found[-1] if found else None


def remove_checkpoints(folder: Path) -> None:
    """Forget the way once the result is stored."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def train(
    model: Any, tokenizer: Any, rows: Sequence[tokens.Row], section: Tune, folder: Path, seed: int
) -> dict[str, Any]:
    """Train a model from `adapters.attach` in place; returns figures without times.

    Writes `plan.json` (steps and tokens to come), `log.jsonl` (step, loss in nats a trained token, learning rate,
    tokens so far) and `speed.json`, and keeps checkpoints until `remove_checkpoints`. Called again on the same folder
    it goes on from the newest one. Raises UserError when the loss is not a number, KeyboardInterrupt
    after a checkpoint when it was asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None) or max(PACKED_LENGTH, *(len(r.ids) for r in rows))
    padded = heads.padded(model, tokenizer, rows, section, seed)
    plan = padded.plan if padded else make_plan(rows, section, seed, context, lambda: attention.isolates_rows(model))
    apart = plan.packing and attention.suits_row_by_row(model)
    resume = _resumable(folder / CHECKPOINTS, _identity(model, plan, section, seed))
    done = int(resume.name.split("-")[1]) if resume else 0
    files.write_json(folder / "plan.json", {"steps": plan.steps, "tokens": plan.tokens_at[-1]})
    with ExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        bar = stack.enter_context(console.bar("tune", total=plan.tokens_at[-1], unit="tokens"))
        stack.enter_context(quiet())
        if apart:
            stack.enter_context(attention.row_by_row(model))
        watch = Watch(bar, folder / LOG, plan.tokens_at, section.checkpoint_minutes, stop)
        trainer = AtomicTrainer(
            model=model,
            args=arguments(section, plan, folder, seed),
            train_dataset=[plan.sequences[i] for i in plan.order],
            data_collator=padded.batch if padded else partial(batch, bounds=apart),
            processing_class=tokenizer,
            compute_loss_func=padded.loss if padded else loss,
            callbacks=[watch],
        )
        trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if stop.asked:
        raise KeyboardInterrupt
    seconds, trained = time.monotonic() - watch.began, plan.tokens_at[-1] - plan.tokens_at[done]
    rate = round(trained / seconds, 1)
    files.write_json(
        folder / "speed.json", {"tokens": trained, "seconds": round(seconds, 2), "tokens_per_second": rate}
    )
    return _metrics(model, plan, section, [row["loss"] for row in files.read_jsonl(folder / LOG)])


def _metrics(model: Any, plan: Plan, section: Tune, losses: list[float]) -> dict[str, Any]:
    """What was trained. The final loss is the mean over the last tenth of the steps."""
    last = losses[-max(1, len(losses) // 10) :]
    rows = [row for sequence in plan.sequences for row in sequence]
    return {
        "rows": len(rows),
        "tokens": sum(len(row.ids) for row in rows),
        "trained_tokens": sum(row.trained for row in rows),
        "sequences": len(plan.sequences),
        "steps": plan.steps,
        "epochs": section.epochs,
        "first_loss": losses[0],
        "final_loss": sum(last) / len(last),
        "packing": plan.packing,
        "batch_tokens": plan.batch_tokens,
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
