"""The processes that train one model together: which of them this is, and what they agree on."""

from __future__ import annotations

import torch
from torch import distributed


def size() -> int:
    """How many there are; 1 outside a group."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def leads() -> bool:
    """Whether this is the one that writes files and speaks."""
    return rank() == 0


def wait() -> None:
    """Go on when all have come here."""
    if size() > 1:
        distributed.barrier()


def total(values: list[float], device: str) -> list[float]:
    """The sum of each value over all processes."""
    return _reduced(values, device, distributed.ReduceOp.SUM)


def most(value: float, device: str) -> float:
    """The largest value of any process: how one's wish becomes everyone's."""
    return _reduced([value], device, distributed.ReduceOp.MAX)[0]


def _reduced(values: list[float], device: str, how: distributed.ReduceOp.RedOpType) -> list[float]:
    if size() == 1:
        return values
    found = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(found, how)
    return [float(x) for x in found]
