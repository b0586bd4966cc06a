"""Sentence embeddings that are kept: a text that was embedded before is looked up."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ozfig import console, files
from ozfig.engines.embeddings import WIDTH, embed

ROW = np.dtype([("key", "S16"), ("vector", "<f2", WIDTH)])
AT_ONCE = 4096  # texts between two writes: what a killed process loses
SPARE = 4  # so many times what was asked for may be kept before the rest is forgotten


def embedded(texts: Sequence[str], folder: Path) -> np.ndarray:
    """Unit vectors of the texts, float16 of shape (texts, 384).

    What `folder` lacks is computed and added to it, some thousands at a time, so that a killed run goes on.
    Raises MissingExtra where embeddings cannot be computed.
    """
    keys = np.array([_key(text) for text in texts], "S16")
    wanted, first, places = np.unique(keys, return_index=True, return_inverse=True)
    known = _kept(folder)
    missing = np.sort(first[~np.isin(wanted, known["key"])])
    with console.bar("embed", total=len(missing), unit="texts") as bar:
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            new = np.zeros(len(part), ROW)
            new["key"], new["vector"] = keys[part], embed([texts[i] for i in part], bar.advance)
            _save(folder, new)
    known = _kept(folder) if len(missing) else known
    found = known[np.searchsorted(known["key"], wanted)]
    if len(known) > SPARE * len(found):
        for path in folder.glob("*.npy"):
            path.unlink()
        _save(folder, found)
    vectors: np.ndarray = found["vector"][places]
    return vectors


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest().encode()


def _kept(folder: Path) -> np.ndarray:
    """All rows that are kept, by their keys in order."""
    rows = np.concatenate(
        [np.zeros(0, ROW), *(np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy")))]
    )
    return rows[np.unique(rows["key"], return_index=True)[1]]


def _save(folder: Path, rows: np.ndarray) -> None:
    """Write rows under a name that their keys give, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    files.write_bytes(folder / f"{hashlib.sha256(rows['key'].tobytes()).hexdigest()[:16]}.npy", buffer.getvalue())
