"""How many wrong answers the grounding check catches, and how many right ones it takes for wrong.

    python -m benchmarks.grounding [DATA] [--n 200] [--seed 7] [--json]

DATA is the folder of real data (shared/data beside the checkout). Questions of SQuAD v1.1 dev, half of them with
their answer, half with a wrong one: that of another question on another passage of the same article, or, harder,
on the same passage. The thresholds were chosen on SQuAD's train file. Then the example site's 96 held-out
questions with their hand-written answers: kept, swapped within the page, and with one number changed.
"""

import gzip
import json
import math
import random
import re
import sys
from pathlib import Path

from ozfig.prepare.teach.grounding import check
from ozfig.retrieval import chunk
from ozfig.types import Document
from ozfig.web.extract import extract

ROOT = Path(__file__).parents[1]


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion."""
    if not n:
        return 0.0, 1.0
    z, p = 1.959964, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def squad(path: Path) -> list[list[dict]]:
    """The questions of each article: question, answer, all accepted answers, passage."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    return [
        [
            {
                "question": row["question"],
                "answer": row["answers"][0]["text"],
                "accepted": {a["text"].lower() for a in row["answers"]},
                "passage": paragraph["context"],
            }
            for paragraph in article["paragraphs"]
            for row in paragraph["qas"]
        ]
        for article in articles
    ]


def swapped(row: dict, others: list[dict], same_passage: bool, rng: random.Random) -> str | None:
    """A wrong answer out of the same article, from the same passage or another one."""

    def is_wrong(answer: str) -> bool:
        return not any(answer.lower() in known or known in answer.lower() for known in row["accepted"])

    found = [o["answer"] for o in others if (o["passage"] == row["passage"]) == same_passage and is_wrong(o["answer"])]
    return rng.choice(found) if found else None


def measured(variant: str, right: list[bool], wrong: list[bool]) -> dict:
    """Precision and recall of catching wrong answers; `right` and `wrong` say of each answer whether it was flagged."""
    alarms, caught = sum(right), sum(wrong)
    return {
        "variant": variant,
        "right": len(right),
        "wrong": len(wrong),
        "false_alarms": alarms,
        "caught": caught,
        "precision": caught / max(1, caught + alarms),
        "precision_interval": wilson(caught, caught + alarms),
        "recall": caught / max(1, len(wrong)),
        "recall_interval": wilson(caught, len(wrong)),
        "false_alarm_rate": alarms / max(1, len(right)),
        "false_alarm_interval": wilson(alarms, len(right)),
    }


def on_squad(path: Path, n: int, seed: int) -> list[dict]:
    """Both variants over the same n questions; the first half keeps its answers."""
    articles = squad(path)
    rows = []
    for variant, same_passage in (("other passage", False), ("same passage", True)):
        rng = random.Random(seed)
        pool = [(row, article) for article in articles for row in article]
        right: list[bool] = []
        wrong: list[bool] = []
        for row, article in rng.sample(pool, len(pool)):
            if len(right) < n // 2:
                right.append(not check(row["answer"], row["passage"], row["question"]).supported)
            elif (answer := swapped(row, article, same_passage, rng)) is not None:
                wrong.append(not check(answer, row["passage"], row["question"]).supported)
            if len(wrong) == n - n // 2:
                break
        rows.append(measured(variant, right, wrong))
    return rows


def examples() -> list[tuple[dict, str]]:
    """The example site's held-out questions, each with its passage."""
    documents = []
    for folder in (ROOT / "examples/site", ROOT / "examples/handbook"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".html", ".md", ".txt"}:
                text = path.read_text(encoding="utf-8")
                documents.append(
                    Document.make(path.name, "", extract(text).markdown if path.suffix == ".html" else text)
                )
    rows = [json.loads(line) for line in (ROOT / "examples/questions.jsonl").read_text(encoding="utf-8").splitlines()]
    found = []
    for row in rows:
        own = [p for d in documents if d.uri == Path(row["document"]).name for p in chunk.passages(d)]
        passage = chunk.find_passage(own, row["evidence"])
        if passage:
            found.append((row, passage.with_title()))
    return found


def on_examples(seed: int) -> list[dict]:
    """Whole sentences written by hand: as they are, with those of the page's other questions, with another number."""
    rng, rows = random.Random(seed), examples()
    right = [not check(row["answer"], passage, row["question"]).supported for row, passage in rows]
    swaps, numbers = [], []
    for row, passage in rows:
        others = [o["answer"] for o, _ in rows if o["document"] == row["document"] and o["evidence"] != row["evidence"]]
        if others:
            swaps.append(not check(rng.choice(others), passage, row["question"]).supported)
        if found := re.search(r"\d+", row["answer"]):
            other = str(int(found[0]) + rng.choice([1, 3, 7]))
            changed = row["answer"][: found.start()] + other + row["answer"][found.end() :]
            numbers.append(not check(changed, passage, row["question"]).supported)
    return [measured("sentences swapped", right, swaps), measured("one number changed", right, numbers)]


def main() -> None:
    words = [a for i, a in enumerate(sys.argv[1:]) if not a.startswith("-") and sys.argv[i] not in ("--n", "--seed")]
    n, seed = (int(sys.argv[sys.argv.index(o) + 1]) if o in sys.argv else d for o, d in (("--n", 200), ("--seed", 7)))
    folder = Path(words[0] if words else ROOT.parent / "shared/data")
    path = folder / "squad/dev-v1.1.json.gz"
    if not path.is_file():
        print(f"real data not found: {path}", file=sys.stderr)
        return
    rows = [*on_squad(path, n, seed), *on_examples(seed)]
    if "--json" in sys.argv:
        print(json.dumps({"n": n, "seed": seed, "rows": rows}))
        return
    for row in rows:
        told = [
            f"{row[k]:.3f} ({row[i][0]:.3f} to {row[i][1]:.3f})"
            for k, i in (
                ("precision", "precision_interval"),
                ("recall", "recall_interval"),
                ("false_alarm_rate", "false_alarm_interval"),
            )
        ]
        print(f"{row['variant']:<20}{row['right']:>5}{row['wrong']:>5}  " + "  ".join(told))


if __name__ == "__main__":
    main()
