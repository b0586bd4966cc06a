"""The index of a run's passages: BM25 and, if wanted, sentence embeddings; the same bytes every time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ozfig import console, files
from ozfig.engines.embeddings import embed
from ozfig.retrieval import vectors
from ozfig.retrieval.chunk import SENTENCE, Passage, plain, words
from ozfig.retrieval.words import terms

if TYPE_CHECKING:
    import bm25s

PASSAGES, WORDS, VECTORS, STARTS = "passages.jsonl", "words", "vectors.npy", "starts.npy"
VOCABULARY, PARAMETERS = "vocab.index.json", "params.index.json"  # as bm25s calls them
SHORTEST = 3  # words of a sentence that has a vector of its own


def build(
    passages: Sequence[Passage], folder: Path, kind: Literal["fused", "words"], cache: Path | None = None
) -> None:
    """Write passages.jsonl, words/ (a bm25s index) and, for kind fused, vectors.npy and starts.npy.

    vectors.npy (float16, shape (units, 384)) holds each passage's own vector, followed by those of its sentences
    where there are several; starts.npy (int64, shape (passages,)) is where each passage's begin. `cache` keeps
    vectors for the next time. Raises MissingExtra where embeddings cannot be computed.
    """
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files.write_jsonl(part / PASSAGES, (passage.to_row() for passage in passages))
    _write_words([passage.with_title() for passage in passages], part / WORDS)
    if kind == "fused":
        _write_vectors(passages, part, cache)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _write_words(texts: Sequence[str], folder: Path) -> None:
    """Save a BM25 index. Its two JSON files are written again: bm25s puts its version and other white space in."""
    index = by_words(texts)
    index.save(folder, show_progress=False)
    files.write_json(folder / VOCABULARY, index.vocab_dict)
    parameters = files.read_json(folder / PARAMETERS)
    files.write_json(folder / PARAMETERS, {name: value for name, value in parameters.items() if name != "version"})


def by_words(texts: Sequence[str]) -> bm25s.BM25:
    """A BM25 index of texts, in memory."""
    found = [terms(text) for text in texts]
    vocabulary = {term: i for i, term in enumerate(sorted({term for row in found for term in row}))}
    return _bm25([[vocabulary[term] for term in row] for row in found], vocabulary)


def _bm25(ids: list[list[int]], vocabulary: dict[str, int]) -> bm25s.BM25:
    """BM25 in Lucene's form, over lists of terms' numbers."""
    import bm25s
    from bm25s.tokenization import Tokenized

    index = bm25s.BM25(method="lucene")
    index.index(Tokenized(ids, vocabulary), show_progress=False)
    return index


def _write_vectors(passages: Sequence[Passage], folder: Path, cache: Path | None) -> None:
    units = [_units(passage) for passage in passages]
    texts = [text for row in units for text in row]
    if cache is None:
        with console.bar("index", total=len(texts), unit="texts") as bar:
            found = embed(texts, bar.advance).astype(np.float16)
    else:
        found = vectors.embedded(texts, cache / "passages")
    starts = list(accumulate((len(row) for row in units), initial=0))[:-1]
    np.save(folder / VECTORS, found, allow_pickle=False)
    np.save(folder / STARTS, np.array(starts, dtype=np.int64), allow_pickle=False)


def _units(passage: Passage) -> list[str]:
    """The texts that a passage is found by in meaning: the whole, and each sentence or row under its heading."""
    heading = passage.title_path.rsplit(" > ", 1)[-1]
    sentences = [plain(part) for part in SENTENCE.split(passage.text) if words(part) >= SHORTEST]
    own = [f"{heading}: {sentence}" if heading else sentence for sentence in sentences]
    return [passage.with_title(), *(own if len(own) > 1 else [])]
