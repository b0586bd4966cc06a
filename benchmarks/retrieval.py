"""Finding the passage that a question was asked about: by words, by meaning, by both.

    python -m benchmarks.retrieval [--n 1000] [--passages 2067] [--json]

Questions of SQuAD v1.1's dev set, drawn by their hash, against its passages (the first of them, where fewer are
wanted). Recall at 1 and 5 with 95 % Wilson intervals, and the mean reciprocal rank.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from ozfig import formats
from ozfig.evaluate.statistics import wilson
from ozfig.recipe import Dataset
from ozfig.retrieval import index, search
from ozfig.retrieval.chunk import Passage

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data"))
SHARES = {"words": 1.0, "meaning": 0.0, "fused": search.SHARE_OF_WORDS, "half and half": 0.5}


def ranks(searcher, asked, right, share):
    """The place, from 1, of each question's own passage."""
    search.SHARE_OF_WORDS = share
    found = []
    for first in range(0, len(asked), 64):
        scores = searcher.scores(asked[first : first + 64])
        own = scores[np.arange(len(scores)), right[first : first + 64]]
        found.append(1 + (scores > own[:, None]).sum(1))
    return np.concatenate(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--passages", type=int)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = list(formats.examples(Dataset(path=str(DATA / "squad/dev-v1.1.json.gz"))))
    contexts = list(dict.fromkeys(row.context for row in rows))[: given.passages]
    passages = [Passage(f"{i}", "", text) for i, text in enumerate(contexts)]
    place = {text: i for i, text in enumerate(contexts)}
    drawn = sorted((row for row in rows if row.context in place), key=lambda row: row.id)[: given.n]
    with tempfile.TemporaryDirectory() as folder:
        index.build(passages, Path(folder) / "index", "fused")
        searcher = search.Searcher.open(Path(folder) / "index")
    table = []
    for name, share in SHARES.items():
        at = ranks(searcher, [row.question for row in drawn], [place[row.context] for row in drawn], share)
        line = {"by": name, "n": len(at), "passages": len(passages), "mrr": round(float((1 / at).mean()), 3)}
        for k in (1, 5):
            right = int((at <= k).sum())
            low, high = wilson(right, len(at))
            line[f"recall@{k}"] = [round(x, 3) for x in (right / len(at), low, high)]
        table.append(line)
    if given.json:
        print(json.dumps({"rows": table}))
    else:
        for line in table:
            print(*(f"{name} {value}" for name, value in line.items()), sep="  ")


if __name__ == "__main__":
    main()
