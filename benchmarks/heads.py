"""What tuning a span head brings: MiniLM on SQuAD, exact match and F1 on other articles, before and after.

    python -m benchmarks.heads [DATA] [--rows 300] [--questions 100] [--epochs 2] [--seed 7] [--json]

DATA is the folder of real data (shared/data beside the checkout). Rows are drawn from SQuAD v1.1 train by their
hashes, questions from its dev file, whose articles are not in train. The untuned model is the same encoder with
a random head. LoRA of rank 32, learning rate 5e-4.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from ozfig import files
from ozfig.engines import opening
from ozfig.engines.base import Decoding
from ozfig.engines.resolve import resolve
from ozfig.evaluate.metrics import exact_match, token_f1
from ozfig.evaluate.statistics import mean_and_stderr, paired_difference
from ozfig.formats.examples import Reading
from ozfig.prompts import ask
from ozfig.recipe import Dataset, Tune
from ozfig.tune import stage
from ozfig.types import Example, Job, ModelRef

ROOT = Path(__file__).parents[1]
SECTION = {"rank": 32, "alpha": 64, "learning_rate": 5e-4}


def scores(ref: ModelRef, items: list[Example]) -> dict[str, list[float]]:
    """Exact match and F1 of each question's reply, the passage given."""
    replies = opening.load(ref).generate([ask(e.question, passage=e.context) for e in items], Decoding(24))
    both = {"exact_match": exact_match, "token_f1": token_f1}
    return {
        name: [score(reply, e.references) for reply, e in zip(replies, items, strict=True)]
        for name, score in both.items()
    }


def tuned(rows: list[Example], base: ModelRef, epochs: float, seed: int, folder: Path) -> ModelRef:
    """The adapter that the tune stage makes of the rows."""
    files.write_jsonl(folder / "train.jsonl", (row.to_row() for row in rows))
    section, inputs = Tune(epochs=epochs, **SECTION), {"train": folder / "train.jsonl"}
    job = Job("heads", section, seed, "", folder / "tune", inputs, {"base": base}, folder / "cache")
    return stage.run(job).models["tuned"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    squad = given.data / "squad"
    rows = list(Reading(Dataset(path=str(squad / "train-v1.1.json.gz"), sample=given.rows)))
    items = list(Reading(Dataset(path=str(squad / "dev-v1.1.json.gz"), sample=given.questions)))
    base = resolve("minilm")
    before = scores(base, items)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        made = tuned(rows, base, given.epochs, given.seed, Path(folder))
        seconds = time.monotonic() - began
        after = scores(made, items)
    found = {"rows": len(rows), "questions": len(items), "seconds": round(seconds, 1), "metrics": {}}
    for name in before:
        difference, low, high, _ = paired_difference(before[name], after[name], 10_000, given.seed)
        means = [mean_and_stderr(values)[0] for values in (before[name], after[name])]
        values = [*means, difference, low, high]
        found["metrics"][name] = dict(
            zip(("untuned", "tuned", "difference", "low", "high"), (round(v, 4) for v in values), strict=True)
        )
    if given.json:
        return print(json.dumps(found))
    print(f"{found['rows']} rows, {given.epochs:g} epochs, {seconds:.0f} s; {found['questions']} questions")
    for name, row in found["metrics"].items():
        interval = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        print(f"  {name:<12} untuned {row['untuned']:.3f}  tuned {row['tuned']:.3f}  {interval}")
    return None


if __name__ == "__main__":
    main()
