"""Benchmark items scored by ozfig and by lm-evaluation-harness's own backend for Transformers.

    python -m benchmarks.tasks [--limit 50] [--batch 16] [--json]

The same float32 weights (pebble), the same requests of the same task objects, from local files. Seconds of each,
their ratio, the largest difference of a log-likelihood, and how many items have the same choice.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch

from ozfig.engines.resolve import resolve
from ozfig.engines.transformers import load as open_engine
from ozfig.evaluate.tasks.load import hushed, load
from ozfig.evaluate.tasks.model import Answerer
from ozfig.recipe import Benchmark

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data")) / "benchmarks"
FILES = {
    "sciq": "sciq/sciq_test_first50.jsonl",
    "logiqa": "logiqa/Test.txt",
    "arithmetic_2da": "arithmetic",
    "mc_taco": "mc_taco/test_9442.tsv",
}


def timed(model, requests):
    started = time.perf_counter()
    with hushed():
        answers = model.loglikelihood(requests, disable_tqdm=True)
    return [value for value, _ in answers], time.perf_counter() - started


def choices(requests, values):
    """The best continuation of each item."""
    best = {}
    for request, value in zip(requests, values, strict=True):
        if request.doc_id not in best or value > best[request.doc_id][0]:
            best[request.doc_id] = (value, request.idx)
    return {item: index for item, (_, index) in best.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16, help="rows of lm-eval's batches")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    from lm_eval.models.huggingface import HFLM

    engine = open_engine(resolve("pebble"))
    assert engine.model.dtype == torch.float32
    with hushed():
        theirs = HFLM(
            pretrained=engine.model,
            tokenizer=engine.tokenizer,
            backend="causal",
            batch_size=given.batch,
            device=str(engine.model.device),
        )
    table = []
    for name, path in FILES.items():
        (task,) = load([Benchmark(name=name, file=str(DATA / path), limit=given.limit)])
        answerer = Answerer(engine, given.batch, 7, lambda answered: None)
        timed(answerer, task.requests[:8])
        timed(theirs, task.requests[:8])
        ours, seconds = timed(answerer, task.requests)
        other, others = timed(theirs, task.requests)
        mine, known = choices(task.requests, ours), choices(task.requests, other)
        table.append(
            {
                "task": name,
                "items": len(mine),
                "requests": len(task.requests),
                "seconds": round(seconds, 2),
                "lm_eval": round(others, 2),
                "ratio": round(others / seconds, 2),
                "difference": max(abs(a - b) for a, b in zip(ours, other, strict=True)),
                "same_choice": sum(mine[item] == known[item] for item in mine) / len(mine),
            }
        )
    if given.json:
        print(json.dumps({"rows": table}))
        return
    for row in table:
        row["difference"] = f"{row['difference']:.1e}"
        print(*(f"{name} {value}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
