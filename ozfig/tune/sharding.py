"""How several processes share one model: a copy each (DDP), or a part of every weight each (FSDP2, on GPUs).

DDP: Li et al. 2020, "PyTorch Distributed". FSDP: Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from ozfig.errors import UserError
from ozfig.recipe import Tune
from ozfig.tune import machine

WRAPPED = {"ddp": DistributedDataParallel, "fsdp": FSDPModule}
COPY_SHARE = 0.5  # of a GPU's memory that a copy of the weights may fill


def settle(section: Tune, base: Path) -> Tune:
    """The section with `sharding` settled: fsdp where a copy of the weights would fill half of a GPU.

    Raises UserError where fsdp is asked for and cannot be.
    """
    wanted = section.sharding
    if wanted == "fsdp":
        _check(section)
    elif wanted == "auto":
        large = section.device == "cuda" and section.processes > 1 and section.method != "qlora"
        large = large and _weights(section, base) > COPY_SHARE * machine.memory("cuda")
        wanted = "fsdp" if large else "ddp"
    return section.model_copy(update={"sharding": wanted})


def _check(section: Tune) -> None:
    """Raise UserError where weights cannot be shared out."""
    if section.device != "cuda":
        raise UserError(
            f"tune.sharding: fsdp needs CUDA GPUs; on {section.device} Accelerate would quietly train by DDP; "
            "set tune.sharding=ddp"
        )
    if section.processes == 1:
        raise UserError("tune.sharding: fsdp shares weights between processes; set tune.processes to 2 or more")
    if section.method == "qlora":
        raise UserError("tune.sharding: fsdp does not share weights of 4 bits; set tune.sharding=ddp")


def _weights(section: Tune, base: Path) -> int:
    """Bytes of a copy: as stored, or with float32 weights, gradients and two moments in full training."""
    stored = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    return stored * (8 if section.method == "full" else 1)


def arguments(section: Tune) -> dict[str, Any]:
    """Options of the Trainer."""
    if section.sharding != "fsdp" or section.processes == 1:
        # every weight that is trained takes part in every step, the output layer through the loss
        return {"ddp_find_unused_parameters": False}
    return {"fsdp": True, "fsdp_config": {"version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}}


class CheckWrapped(transformers.TrainerCallback):  # type: ignore[misc]
    """Makes sure that the model is shared as it was asked for: libraries fall back in silence."""

    def __init__(self, trainer: transformers.Trainer, section: Tune) -> None:
        self.trainer, self.wanted = trainer, section.sharding if section.processes > 1 else ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Raises UserError when the model is wrapped in another way."""
        found = self.trainer.model_wrapped
        if self.wanted and not isinstance(found, WRAPPED[self.wanted]):
            raise UserError(f"tune.sharding: {self.wanted} was asked for, and the model became {type(found).__name__}")


def is_sharded(model: Any) -> bool:
    """Whether each process holds a part of the weights only."""
    return any(isinstance(weights, DTensor) for weights in model.parameters())


def whole(weights: torch.Tensor) -> torch.Tensor:
    """Weights in one piece in ordinary memory; all processes have to ask for a shared one."""
    full = weights.full_tensor() if isinstance(weights, DTensor) else weights
    return full.detach().cpu()


def gathered(model: Any) -> dict[str, torch.Tensor] | None:
    """The state of a shared model in one piece; None of a model that every process holds itself."""
    return {name: whole(weights) for name, weights in model.state_dict().items()} if is_sharded(model) else None
