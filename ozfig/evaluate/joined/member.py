"""Who is compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """A model in a comparison of runs: its name there, its run's folder and name, and the point that it was there."""

    name: str
    run: Path
    point: str
    run_name: str
