"""Measuring on rows that are not trained on: when to stop, and which state was best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save

from ozfig import files
from ozfig.recipe import Tune
from ozfig.tune import group, sharding
from ozfig.tune.tokens import IGNORED

LOG = "validation.jsonl"
TIMES = 10  # measurements a run
Batches = Sequence[dict[str, Any]]
Loss = Callable[..., torch.Tensor]


class Validation(transformers.TrainerCallback):  # type: ignore[misc]
    """Measures the loss ten times a run, keeps the best weights, stops when `patience` measurements did not help.

    `log` gets step and mean loss (nats a trained token), `best` the trained weights of the lowest one. Both are
    made again alike when a killed training goes on, so a better state of later steps does no harm.
    """

    def __init__(
        self, model: Any, batches: Batches, loss: Callable[..., torch.Tensor], section: Tune, log: Path
    ) -> None:
        self.model, self.batches, self.loss, self.patience = model, batches, loss, section.patience
        self.log, self.best = log, log.parent / "checkpoints" / "best.safetensors"
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the log back to the checkpoint."""
        rows = files.read_jsonl(self.log) if state.global_step and self.log.exists() else []
        self.rows = [row for row in rows if row["step"] <= state.global_step]
        if group.leads():
            files.write_jsonl(self.log, self.rows)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure when it is time."""
        if state.global_step % math.ceil(state.max_steps / TIMES) and state.global_step < state.max_steps:
            return
        row = {"step": state.global_step, "loss": self.measure()}
        if not self.rows or row["loss"] < self.least["loss"]:
            trained = {name: sharding.whole(p) for name, p in self.model.named_parameters() if p.requires_grad}
            if group.leads():
                files.write_bytes(self.best, save(trained))
        self.rows.append(row)
        if group.leads():
            files.append_line(self.log, row)
        behind = sum(later["step"] > self.least["step"] for later in self.rows)
        if self.patience and behind >= self.patience:
            control.should_training_stop = True

    @property
    def least(self) -> dict[str, Any]:
        """The best measurement so far, the earliest where two are equal."""
        return min(self.rows, key=lambda row: (row["loss"], row["step"]))

    @torch.no_grad()
    def measure(self) -> float:
        """Mean loss in nats a trained token; processes that hold the whole model measure a part of the rows each."""
        self.model.eval()
        total = count = 0.0
        apart = not sharding.is_sharded(self.model)
        for given in self.batches[group.rank() :: group.size()] if apart else self.batches:
            inputs = {k: v.to(self.model.device) if torch.is_tensor(v) else v for k, v in given.items()}
            labels = inputs.pop("labels")
            total += float(self.loss(self.model(**inputs), labels, 1))
            count += int((labels != IGNORED).sum())
        self.model.train()
        if apart:
            total, count = group.total([total, count], str(self.model.device))
        return total / count

    def restore_best(self) -> None:
        """Put the best state's weights back, in the process that stores them."""
        found = load_file(self.best) if group.leads() else {}
        with torch.no_grad():
            for name, weights in self.model.named_parameters():
                if name in found:
                    weights.copy_(found[name])
