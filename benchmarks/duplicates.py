"""De-duplicating 25,000 to 400,000 rows, and looking for leaks in them: time, memory and what is found.

    python -m benchmarks.duplicates [--rows 25000,100000,400000] [--beside 25000] [--json]

The rows are Alpaca's, then the same with their words shuffled, which copies nothing. One in a hundred is planted: an
earlier row in an envelope, with other case, signs and white space; another is one with 10 % of its words replaced.
The rows lie on disk, as in a run. The other side is datasketch (128 permutations, threshold 0.5) on the same texts.
Every measurement has a process of its own, whose peak memory is told.
"""

import argparse
import gzip
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from ozfig.prepare import Context, clean, leaks
from ozfig.prepare.rows import StoredRows
from ozfig.recipe import ExactFilter, Leaks, NearFilter
from ozfig.types import Example

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data"))
ALPACA = DATA / "instructions/alpaca/alpaca_data.json.gz"
ENVELOPES = ("Please answer the following question: {}", "### Instruction:\n{}\n### Response:", "{}\nThank you!")
HELD_OUT = 200


def pairs(count: int):
    """Question and answer of each row, and what it was planted from: (kind, index of the original) or None."""
    with gzip.open(ALPACA) as file:
        real = [(f"{r['instruction']}\n{r['input']}".strip(), r["output"]) for r in json.load(file)]
    words = [word for question, _ in real[:2000] for word in question.split()]
    rng = random.Random(5)
    made: list[tuple[str, str]] = []
    for i in range(count):
        question, answer = real[i % len(real)]
        planted = None
        if i % 100 in (98, 99):
            kind, original = ("envelope", i - 50) if i % 100 == 98 else ("replaced", i - 60)
            planted = kind, original
            question, answer = _copy(made[original], kind, rng, words)
        elif i >= len(real):
            question, answer = (" ".join(rng.sample(t.split(), len(t.split()))) for t in (question, answer))
        made.append((question, answer))
        yield question, answer, planted


def _copy(pair: tuple[str, str], kind: str, rng: random.Random, words: list[str]) -> tuple[str, str]:
    question, answer = pair
    if kind == "envelope":
        asked = rng.choice(ENVELOPES).format(question.upper().replace(" ", "  "))
        return asked, answer.replace(" ", "\n", 3).replace(",", " ;").title()
    return tuple(re.sub(r"\S+", lambda m: rng.choice(words) if rng.random() < 0.1 else m[0], t) for t in pair)


def recall(joined: set[tuple[int, int]], planted: dict) -> dict[str, float]:
    hits: dict[str, list[bool]] = defaultdict(list)
    for i, (kind, original) in planted.items():
        hits[kind].append((original, i) in joined)
    return {kind: sum(found) / len(found) for kind, found in sorted(hits.items())}


def ozfig(count: int) -> dict:
    planted: dict = {}

    def examples():
        for i, (question, answer, origin) in enumerate(pairs(count)):
            if origin:
                planted[i] = origin
            # ids in the order of the rows, so that places in the file are the rows' numbers
            yield Example(f"{i:016x}", Example.pair(question, answer).messages)

    with tempfile.TemporaryDirectory() as folder:
        rows = StoredRows.write(Path(folder) / "rows.jsonl", examples())
        context = Context(Path(folder))
        seconds = {}
        began = time.perf_counter()
        dropped = list(clean.exact(rows, ExactFilter(), context))
        seconds["exact"] = time.perf_counter() - began
        began = time.perf_counter()
        dropped += clean.near(rows, NearFilter(), context)
        seconds["near"] = time.perf_counter() - began
        held_out = [rows[i] for i in range(0, count, max(1, count // HELD_OUT))]
        began = time.perf_counter()
        leaked = sum(1 for _ in leaks.find_leaks(rows, held_out, [], Leaks(), "question"))
        seconds["leaks"] = time.perf_counter() - began
        out = {verdict.index for verdict in dropped}
        # of an original and its copy the later goes
        joined = {(original, i) for i, (_, original) in planted.items() if i in out}
    false = len(out - set(planted)) / (count - len(planted))
    found = recall(joined, planted)
    return {"name": "ozfig", "rows": count, "seconds": seconds, "recall": found, "others": false, "leaks": leaked}


def beside(count: int) -> dict:
    from datasketch import MinHash, MinHashLSH

    from ozfig.prepare.duplicates import shingles

    planted: dict = {}
    texts = []
    for i, (question, answer, origin) in enumerate(pairs(count)):
        texts.append(f"{question}\n{answer}")
        if origin:
            planted[i] = origin
    began = time.perf_counter()
    lsh, joined, hit = MinHashLSH(threshold=0.5, num_perm=128), set(), set()
    for i, text in enumerate(texts):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([run.encode() for run in shingles(text)])
        near = lsh.query(sketch)
        joined.update((j, i) for j in near)
        hit.update([i] if near else [])
        lsh.insert(i, sketch)
    seconds = {"near": time.perf_counter() - began}
    false = len(hit - set(planted)) / (count - len(planted))
    return {"name": "datasketch", "rows": count, "seconds": seconds, "recall": recall(joined, planted), "others": false}


def measured(name: str, count: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.duplicates", "--one", f"{name},{count}"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="25000,100000,400000")
    parser.add_argument("--beside", default="25000")
    parser.add_argument("--one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not ALPACA.exists():
        print(f"duplicates: skipped, no data at {DATA} (set OZFIG_DATA)", file=sys.stderr)
        return
    if options.one:
        name, count = options.one.split(",")
        row = {"ozfig": ozfig, "datasketch": beside}[name](int(count))
        row["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(row))
        return
    counts = [("ozfig", n) for n in options.rows.split(",")] + [("datasketch", n) for n in options.beside.split(",")]
    rows = [measured(name, int(count)) for name, count in counts]
    if options.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        took = "  ".join(f"{name} {seconds:.1f} s" for name, seconds in row["seconds"].items())
        found = "  ".join(f"{kind} {share:.3f}" for kind, share in row["recall"].items())
        head = f"{row['name']:<11}{row['rows']:>8,} rows  {took}  {row['peak_memory_mb']:,.0f} MB"
        print(f"{head}  recall: {found}  other rows taken {row['others']:.4f}")


if __name__ == "__main__":
    main()
