"""Exact and near duplicates: MinHash proposes pairs, exact similarity decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ozfig import files
from ozfig.prepare.words import normalised, numbers, words

SHINGLE = 3
PERMUTATIONS = 128
# of the proposed pairs every one is checked, so many short bands only cost time: 64 bands of 2 rows
# propose a pair of similarity 0.5 with a chance above 0.99999
BANDS = 64


def shingles(text: str) -> frozenset[str]:
    """The runs of three words of a text; a shorter text is one run."""
    found = words(text)
    return frozenset(" ".join(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared shingles over all shingles of two texts."""
    return len(a & b) / len(a | b) if a | b else 1.0


def near_duplicates(texts: Sequence[str], threshold: float = 0.5) -> list[list[int]]:
    """Groups of indices of texts that are alike; texts without a twin are in none.

    Two texts are alike when the Jaccard similarity of their 3-word shingles reaches `threshold` and they
    hold the same numbers: rows of a price list share their words and are still different facts. Groups
    are sorted and depend on the texts alone. Candidates come from MinHash (Broder 1997) in bands.
    """
    from rensa import RMinHash, RMinHashLSH

    leader = list(range(len(texts)))

    def root(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        leader[i] = first.setdefault(files.sha256_text(normalised(text)), i)
    distinct = sorted(first.values())
    sets = {i: shingles(texts[i]) for i in distinct}
    figures = {i: numbers(texts[i]) for i in distinct}
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS)
    for i in distinct:
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update(sorted(sets[i]))
        for j in sorted(index.query(sketch)):
            if figures[i] == figures[j] and jaccard(sets[i], sets[j]) >= threshold:
                leader[max(root(i), root(j))] = min(root(i), root(j))
        index.insert(i, sketch)
    return _groups(root(i) for i in range(len(texts)))


def _groups(roots: Iterable[int]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, leader in enumerate(roots):
        groups.setdefault(leader, []).append(i)
    return [group for group in groups.values() if len(group) > 1]
