"""A share of the questions or documents is kept for measuring: by hash, so that new rows move no old ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ozfig import files
from ozfig.recipe import HeldOut
from ozfig.types import Example

GENERAL = "general"  # the origin of rows that are mixed in against forgetting; they are never measured on
WHOLE = 2**64
FEWEST = 2  # questions that a standard error needs


@dataclass
class Split:
    """Positions of the rows on each side; `left_out` are rows of held-out documents above the limit."""

    train: list[int] = field(default_factory=list)
    held_out: list[int] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)


@dataclass
class _Unit:
    """What goes to one side as a whole: its place in the seeded order, its origin and its rows."""

    rank: int
    origin: str
    rows: list[int] = field(default_factory=list)


def split_off(examples: Sequence[Example], section: HeldOut, seed: int) -> Split:
    """Choose the held-out side, for each origin on its own.

    Units are questions (all examples that ask the same go together) or documents (an example's source, else
    its passage, else its question). A unit is held out when its hash falls below the share, so that neither
    the order nor other rows decide. Where a share would give far more than `limit` rows it is halved, as often
    as needed: the held-out side of a large set is a part of what it was when the set was small, and no row
    ever moves from training to it. An origin that is large enough gives at least one unit, the one with the lowest
    hash where none is below the share: there alone a new unit with a lower hash sends an old one to training.
    """
    units: dict[bytes, _Unit] = {}
    for i, example in enumerate(examples):
        name = hashlib.sha256(f"{seed} {_unit(example, section.unit)}".encode()).digest()[:16]
        unit = units.setdefault(name, _Unit(int.from_bytes(name[:8], "big"), example.origin))
        unit.rows.append(i)
        if unit.origin == GENERAL or GENERAL != example.origin < unit.origin:
            unit.origin = example.origin
    share = _halved(section, len(examples))
    by_origin: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units.values():
        by_origin[unit.origin].append(unit)
    # the lowest hashes of the whole set come first, whichever origin they are of
    chosen = sorted((u for found in by_origin.values() for u in _chosen(found, share)), key=lambda u: u.rank)
    return _sides(chosen or _fewest(units.values()), section, examples)


def _unit(example: Example, kind: str) -> str:
    question = " ".join(example.question.lower().split())
    return (example.source or example.context or question) if kind == "document" else question


def _halved(section: HeldOut, rows: int) -> float:
    """The share, halved until it gives at most about twice the limit."""
    share = section.share
    while section.limit and share * rows > 2 * section.limit:
        share /= 2
    return share


def _chosen(units: list[_Unit], share: float) -> list[_Unit]:
    """The units of one origin that are held out; a single one stays in training."""
    if units[0].origin == GENERAL or len(units) < 2:
        return []
    below = [u for u in units if u.rank < share * WHOLE]
    if not below and share * len(units) >= 1 / 2:
        below = [min(units, key=lambda u: u.rank)]
    return sorted(below, key=lambda u: u.rank)[: len(units) - 1]


def _fewest(units: Iterable[_Unit]) -> list[_Unit]:
    """Two units, where a set is too small for its share to give any: a measurement needs them. One always trains."""
    own = sorted((u for u in units if u.origin != GENERAL), key=lambda u: u.rank)
    return own[: min(FEWEST, len(own) - 1)] if own else []


def _sides(chosen: list[_Unit], section: HeldOut, examples: Sequence[Example]) -> Split:
    """Put the chosen units on the held-out side up to the limit; what is over it goes nowhere near training."""
    split, limit = Split(), section.limit or len(examples)
    for unit in chosen:
        room = max(0, limit - len(split.held_out))
        split.held_out += unit.rows[:room]
        split.left_out += unit.rows[room:]
    out = {i for unit in chosen for i in unit.rows}
    split.train = [i for i in range(len(examples)) if i not in out]
    return split


def moved(before: Path, held_out: Iterable[Example], train: Iterable[Example]) -> int:
    """How many questions of the held-out side that the file `before` remembers are trained on now.

    The file then remembers this one: the questions' hashes, sorted.
    """
    old = set(files.read_json(before)) if before.exists() else set()
    files.write_json(before, sorted({_hash(e) for e in held_out}))
    return len(old & {_hash(e) for e in train}) if old else 0


def _hash(example: Example) -> str:
    return files.sha256_text(_unit(example, "question"))[:16]
