"""How much of what is trained on: weights for sources, and a share of general instructions against forgetting."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ozfig import formats
from ozfig.errors import UserError
from ozfig.prepare.split import GENERAL
from ozfig.recipe import Dataset, Mix
from ozfig.types import Example

SPARE = 1.3  # so many more general rows are read than are wanted, since cleaning takes some


def general_rows(section: Mix, own: int) -> Iterator[Example]:
    """General instruction rows for about `own` rows of the user's: those of the data set whose hashes come first."""
    if not section.general:
        return
    source = Dataset.of(section.general_from)
    wanted = math.ceil(SPARE * _share_of(own, section.general))
    source = source.model_copy(update={"sample": min(wanted, source.sample or wanted)})
    for example in formats.examples(source):
        yield replace(example, origin=GENERAL)


def _share_of(own: int, share: float) -> int:
    """How many rows make `share` of a whole whose other rows are `own`."""
    return round(own * share / (1 - share))


def weighted(row: Callable[[int], Example], train: Sequence[int], section: Mix, seed: int) -> list[int]:
    """The places to train on: each as often as its origin's weight says, general rows up to their share.

    `row` gives the example at a place. A weight's fraction is drawn by the row's own hash, so that more rows
    change nothing for the others. Raises UserError for the weight of a source that has no rows.
    """
    if not (section.weights or section.general):
        return list(train)
    own: list[int] = []
    general: list[tuple[float, int]] = []
    origins: set[str] = set()
    for place in train:
        example = row(place)
        draw = _draw(example, seed)
        if example.origin == GENERAL:
            general.append((draw, place))
        else:
            origins.add(example.origin)
            weight = section.weights.get(example.origin, 1.0)
            own += [place] * (int(weight) + (draw < weight % 1))
    _check_names(section, origins)
    return own + [place for _, place in sorted(general)[: _share_of(len(own), section.general)]]


def _check_names(section: Mix, known: set[str]) -> None:
    for name in section.weights:
        if name not in known:
            have = ", ".join(sorted(known)) or "none"
            raise UserError(f"prepare.mix.weights: no pairs come from {name!r}; the sources are: {have}")


def _draw(example: Example, seed: int) -> float:
    """A number from 0 to 1 that the row's content and the seed decide."""
    return int(hashlib.sha256(f"mix {seed} {example.id}".encode()).hexdigest()[:15], 16) / 16**15
