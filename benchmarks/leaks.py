"""Looking for benchmark items in instruction data: what is found of what was planted, and what is taken besides.

    python -m benchmarks.leaks [--rows 100000] [--json]

Training side: Alpaca, Dolly and a site's pairs; beyond those, rows with their words shuffled. Items: MMLU validation,
GSM8K, LogiQA, SciQ, HumanEval, MC-TACO and SQuAD. 200 items of each kind are planted, every other one in the
assistant's turn. Clean rows that are taken are shown with --show: some of them do hold an item.
"""

import argparse
import csv
import gzip
import json
import os
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ozfig.overlap.items import all_parts
from ozfig.prepare.leaks import find_leaks
from ozfig.recipe import Leaks
from ozfig.retrieval.chunk import SENTENCE
from ozfig.types import Example

DATA = Path(os.environ.get("OZFIG_DATA", Path(__file__).parents[2] / "shared" / "data"))
PLANTED = 200


def lines(path: str) -> Iterator[dict]:
    with (DATA / path).open(encoding="utf-8") as rows:
        yield from map(json.loads, rows)


def items() -> list[Example]:
    found = [Example.pair(r["input"], r["output"]) for r in lines("benchmarks/mmlu_val/zero_shot_mmlu_val.jsonl")]
    found += [Example.pair(r["question"], r["answer"]) for r in lines("benchmarks/gsm8k/test.jsonl")]
    code = lines("benchmarks/humaneval/humaneval_python.jsonl")
    found += [Example.pair(r["prompt"], r["canonical_solution"]) for r in code]
    for row in lines("benchmarks/sciq/sciq_test_first50.jsonl"):
        choices = [row[key] for key in ("correct_answer", "distractor1", "distractor2", "distractor3")]
        asked = [row["question"], *(f"{letter}. {choice}" for letter, choice in zip("ABCD", choices, strict=True))]
        found.append(Example.pair("\n".join(asked), choices[0], context=row["support"]))
    for name in ("Eval", "Test"):
        for block in (DATA / f"benchmarks/logiqa/{name}.txt").read_text(encoding="utf-8").split("\n\n"):
            letter, context, *asked = [line for line in block.split("\n") if line.strip()] or ["", ""]
            if len(asked) == 5:
                found.append(Example.pair("\n".join(asked), letter, context=context))
    seen: dict[tuple[str, str], Example] = {}
    for name in ("dev_3783", "test_9442"):
        with (DATA / f"benchmarks/mc_taco/{name}.tsv").open(encoding="utf-8") as rows:
            for sentence, question, answer, *_ in (row.rstrip("\n").split("\t") for row in rows):
                seen.setdefault((sentence, question), Example.pair(question, answer, context=sentence))
    found += seen.values()
    with gzip.open(DATA / "squad/dev-v1.1.json.gz") as file:
        passages = [p for article in json.load(file)["data"] for p in article["paragraphs"]]
    asked = ((p["context"], q) for p in passages for q in p["qas"])
    found += [Example.pair(q["question"], q["answers"][0]["text"], context=context) for context, q in asked]
    return found


def training(count: int) -> tuple[list[Example], int]:
    """The rows, and how many of them are real."""
    with gzip.open(DATA / "instructions/alpaca/alpaca_data.json.gz") as file:
        rows = [Example.pair(f"{r['instruction']}\n{r['input']}".strip(), r["output"]) for r in json.load(file)]
    rows += [Example.pair(r["prompt"], r["answer"]) for r in lines("instructions/dolly_sample/dolly_151.jsonl")]
    with (DATA / "cazton/complete_data.csv").open(encoding="utf-8", newline="") as file:
        rows += [Example.pair(r["questions"], r["answers"]) for r in csv.DictReader(file)]
    rng = random.Random(9)

    def shuffled(text: str) -> str:
        return " ".join(rng.sample(text.split(), len(text.split())))

    more = (rows[i % len(rows)] for i in range(max(0, count - len(rows))))
    made = rows + [Example.pair(shuffled(row.question), shuffled(row.answer)) for row in more]
    return made[:count], min(count, len(rows))


def plants(found: list[Example]) -> dict[str, list[str]]:
    rng = random.Random(11)
    sentences = [s for item in found for s in SENTENCE.split(item.context) if len(s.split()) >= 8]
    questions = [item.question for item in found]
    short = [q for q in questions if 4 <= len(re.findall(r"\w+", q)) <= 7]
    stems = [" ".join(part.words) for part in all_parts(found) if part.kind == "stem"]
    return {
        "exact": rng.sample(questions, PLANTED),
        "re-wrapped": [f"I was given this: {q.upper()} - do you know it?" for q in rng.sample(questions, PLANTED)],
        "context sentence": [f"Shorten this. {s} That was all." for s in rng.sample(sentences, PLANTED)],
        "short item": rng.sample(short, PLANTED),
        "stem alone": rng.sample(stems, PLANTED),
    }


def planted_row(i: int, text: str) -> Example:
    return Example.pair("Tell me something.", text) if i % 2 else Example.pair(text, "Yes.")


def measure(count: int) -> tuple[dict, list[str]]:
    found, (clean, real) = items(), training(count)
    kinds = plants(found)
    rows = clean + [planted_row(i, text) for texts in kinds.values() for i, text in enumerate(texts)]
    began = time.process_time()
    verdicts = {verdict.index: verdict for verdict in find_leaks(rows, [], found, Leaks(), "question")}
    seconds = time.process_time() - began
    taken = [verdicts[i] for i in range(len(clean)) if i in verdicts]
    recall = {}
    for at, kind in enumerate(kinds):
        first = len(clean) + at * PLANTED
        recall[kind] = sum(i in verdicts for i in range(first, first + PLANTED))
    shown = [
        f"{v.reason} | {rows[v.index].question[:150]} # {rows[v.index].answer[:150]} | {v.neighbour}" for v in taken
    ]
    result = {
        "rows": len(rows),
        "items": len(found),
        "cpu_seconds": seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "planted_of_each": PLANTED,
        "found": recall,
        "clean_taken": len(taken),
        "real_clean_rows": real,
        "clean_share": len(taken) / real,
        "clean_reasons": Counter(v.reason for v in taken),
    }
    return result, shown


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"leaks: skipped, no data at {DATA} (set OZFIG_DATA)", file=sys.stderr)
        return
    result, shown = measure(options.rows)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['rows']:,} rows, {result['items']:,} items: {result['cpu_seconds']:.1f} CPU-s")
    for kind, hits in result["found"].items():
        print(f"  {kind:<18}{hits:>4} of {PLANTED}")
    print(f"  clean rows taken: {result['clean_taken']} of {result['real_clean_rows']:,} ({result['clean_share']:.3%})")
    print("\n".join(shown) if options.show else "", end="")


if __name__ == "__main__":
    main()
