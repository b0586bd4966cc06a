"""Examples that stay on disk: their places are known, their texts are read when they are looked at.

A filter goes through 400,000 rows and remembers only what it needs of each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ozfig import files
from ozfig.types import Example


class StoredRows(Sequence[Example]):
    """The rows of a JSONL file of examples, or a part of them. Reading is not thread-safe."""

    def __init__(self, path: Path, places: np.ndarray) -> None:
        """`places` are the byte offsets of the chosen rows (int64)."""
        self._path, self._places = path, places
        self._file = path.open("rb")

    @classmethod
    def write(cls, path: Path, examples: Iterable[Example]) -> StoredRows:
        """Store examples as they come; the rows are in the order of their ids, so that no other order matters."""
        ids: list[str] = []
        hashes: list[bytes] = []
        places: list[int] = []
        with files.whole(path) as out:
            at = 0
            for example in examples:
                line = f"{files.dump(example.to_row())}\n".encode()
                ids.append(example.id)
                hashes.append(hashlib.blake2b(line, digest_size=8).digest())
                places.append(at)
                at += len(line)
                out.write(line)
        # rows of equal ids may differ in what an id does not cover, such as their source
        order = np.lexsort((np.frombuffer(b"".join(hashes), dtype=">u8"), np.array(ids, dtype="S16")))
        return cls(path, np.array(places, dtype=np.int64)[order])

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Example]:
        for place in self._places:
            yield self._read(int(place))

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> StoredRows: ...
    def __getitem__(self, index: int | slice) -> Example | StoredRows:
        if isinstance(index, slice):
            return StoredRows(self._path, self._places[index])
        return self._read(int(self._places[index]))

    def _read(self, place: int) -> Example:
        self._file.seek(place)
        return Example.from_row(json.loads(self._file.readline()))
