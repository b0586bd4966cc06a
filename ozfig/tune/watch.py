"""What stands beside the training loop: signals, the bar, the log, checkpoints in time, figures that broke."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import transformers

from ozfig import console, files
from ozfig.errors import UserError
from ozfig.tune import group


class Stop:
    """Whether the user asked to stop."""

    asked = False


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn the first Ctrl-C or termination into a request; a second one acts at once, as it did before.

    One process of several gets both from the terminal and from the agent that started it, so it only remembers
    them, and ends when that agent is gone.
    """
    stop, parent, several = Stop(), os.getppid(), group.size() > 1
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        if several and os.getppid() != parent:
            os._exit(1)
        if not several:
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
        if group.leads():
            files.write_jsonl(self.log, (self._row(entry) for entry in state.log_history))
        self.bar.advance(self.tokens_at[state.global_step])
        self.began = self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint when time is up or the user wants to stop."""
        due = time.monotonic() - self.saved > self.seconds and state.global_step < state.max_steps
        wish = group.most(2 if self.stop.asked else 1 if due else 0, str(args.device))
        self.stop.asked = wish == 2
        control.should_save |= wish > 0
        control.should_training_stop |= self.stop.asked

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the minutes from the checkpoint just written."""
        self.saved = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Write a step's figures. It comes before the step is saved, so no checkpoint holds broken weights."""
        if "loss" not in logs:
            return
        # float16 finds its scale by gradients that overflow; those steps are skipped
        slope = 0.0 if args.fp16 else logs.get("grad_norm", 0.0)
        if not math.isfinite(logs["loss"]) or not math.isfinite(slope):
            raise UserError(
                f"training diverged at step {state.global_step}: the loss is {logs['loss']:.4g} and its gradient "
                f"{logs.get('grad_norm', math.nan):.4g}; lower tune.learning_rate (it is {args.learning_rate:g})"
            )
        if group.leads():
            files.append_line(self.log, self._row({**logs, "step": state.global_step}))
        done = self.tokens_at[state.global_step] - self.tokens_at[state.global_step - 1]
        self.bar.advance(done, loss=f"{logs['loss']:.3f}")
