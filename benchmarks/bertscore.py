"""BERTScore of what several models answered to the same questions, beside the authors' package.

    python -m benchmarks.bertscore [--questions 200] [--models 3] [--encoder minilm] [--json]

The references are real answers (a company's question-answer pairs); the models' replies are the same with words left
out and shuffled. The package, where it can be imported, scores one model after another, as its users do; ozfig scores
all at once, then once more with the references of the run before. Both run with as many threads as torch takes.
"""

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from ozfig.engines.embeddings import minilm_folder
from ozfig.evaluate.bertscore import LAYERS, bertscore

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data"))
PAIRS = DATA / "cazton/complete_data.csv"


def replies(references: list[str], models: int) -> list[list[str]]:
    """For each model its replies: a share of each reference's words, in another order."""
    draw = random.Random(5)
    found = []
    for model in range(models):
        words = [reference.split() for reference in references]
        found.append([" ".join(draw.sample(w, max(1, len(w) * (model + 1) // (models + 1)))) for w in words])
    return found


def ours(said: list[list[str]], references: list[str], encoder: str, cache: Path | None) -> tuple[float, list]:
    began = time.perf_counter()
    flat = [reply for replies in said for reply in replies]
    found = bertscore(flat, references * len(said), encoder, cache=cache)
    return time.perf_counter() - began, list(zip(*found, strict=True))


def package(said: list[list[str]], references: list[str], encoder: str) -> tuple[float, list]:
    from bert_score import score

    where = str(minilm_folder()) if encoder == "minilm" else encoder
    began, rows = time.perf_counter(), []
    for replies in said:
        figures = score(replies, references, model_type=where, num_layers=LAYERS[encoder])
        rows += zip(*(column.tolist() for column in figures), strict=True)
    return time.perf_counter() - began, rows


def measure(questions: int, models: int, encoder: str) -> list[dict]:
    with PAIRS.open(encoding="utf-8") as file:
        references = [row["answer"] for _, row in zip(range(questions), named(file), strict=False)]
    said = replies(references, models)
    ours([said[0][:1]], references[:1], encoder, None)  # imports and the first load
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ozfig", "ozfig, references kept"):
            seconds, values = ours(said, references, encoder, Path(folder))
            rows.append({"name": name, "seconds": seconds, "replies": len(values)})
    if find_spec("bert_score"):
        seconds, theirs = package(said, references, encoder)
        gap = max(abs(a - b) for x, y in zip(values, theirs, strict=True) for a, b in zip(x, y, strict=True))
        rows.append({"name": "bert-score", "seconds": seconds, "replies": len(theirs), "largest_difference": gap})
    return rows


def named(file):
    """The rows of the CSV with their last two columns as question and answer."""
    lines = csv.reader(file)
    next(lines)
    return ({"question": row[-2], "answer": row[-1]} for row in lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not PAIRS.exists():
        print(f"bertscore: skipped, no data at {DATA} (set OZFIG_DATA)", file=sys.stderr)
        return
    rows = measure(options.questions, options.models, options.encoder)
    if options.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        ratio = f"{row['seconds'] / rows[0]['seconds']:.2f} times the first"
        gap = f"  largest difference {row['largest_difference']:.1e}" if "largest_difference" in row else ""
        print(f"{row['name']:<24}{row['replies']:>6} replies  {row['seconds']:.1f} s  {ratio}{gap}")


if __name__ == "__main__":
    main()
