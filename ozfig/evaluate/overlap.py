"""Does training hold anything of what is measured? The pairs that were trained on against every evaluation set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ozfig.evaluate import evidence, text
from ozfig.evaluate.evidence import Evidence
from ozfig.evaluate.perplexity import Window
from ozfig.evaluate.tasks.table import Measured
from ozfig.overlap import contamination
from ozfig.recipe import Dataset, RunningText
from ozfig.types import Example

EXAMPLES = 3
HELD_OUT = "held-out questions"
Sets = dict[str, list[Example]]


def sets(items: Sequence[Example], measured: Measured | None) -> Sets:
    """The items of each set as they may be found in training; with its question alone where the passage is trained on.

    Passages of held-out questions are trained on where the recipe says so, and with them the answers.
    """
    asked = [Example.pair(item.question, "") for item in items]
    return {HELD_OUT: asked, **(measured.items if measured else {})}


def of_text(section: RunningText, measured: Mapping[str, Sequence[Window]]) -> Sets:
    """The lines of a running text as far as it was read."""
    read = max((sum(window.bytes for window in windows) for windows in measured.values()), default=0)
    if section.definition == "llama":  # it scores the second half of each window, and reads the first as well
        read *= 2
    raw = section.path.read_bytes()[: read if section.limit_tokens else None].decode("utf-8", "ignore")
    lines = [replace(Example.pair("", ""), context=line) for line in raw.splitlines() if line.strip()]
    return {f"text:{text.name(section)}": lines}


def measure(train: Sequence[Example], sets: Sets) -> list[dict[str, Any]]:
    """For each set how many pairs of `train` hold a part of one of its items, with a few of them."""
    rows = []
    for name, items in sets.items():
        found = list(contamination.find(train, items)) if train else []
        examples = [
            {
                "question": train[row.row].question,
                "answer": train[row.row].answer,
                "item": items[row.item].question or items[row.item].context,
                "kind": row.kind,
                "share": row.share,
            }
            for row in sorted(found, key=lambda row: (-row.share, row.row))[:EXAMPLES]
        ]
        rows.append({"set": name, "items": len(items), "pairs": len(found), "examples": examples})
    return rows


def panel(report: dict[str, Any], found: Evidence) -> dict[str, Any]:
    """The table of sets and a sentence over it; empty where nothing is known of the training data."""
    if not found.train or "overlap" not in report:
        return {}
    taken = sum(evidence.is_leak(d.reason) and "benchmark" not in d.reason for d in found.dropped)
    rows = [_row(row, f"{taken:,}" if row["set"] == HELD_OUT else "–") for row in report["overlap"]]
    named = _named(found)
    if named:
        rows.insert(1, named)
    return {"rows": rows, "sentences": _sentences(report["overlap"], len(found.train)), "how": HOW}


HOW = (
    "A pair holds an item where it shares runs of eight words with its question, choices, answer or passage, or all "
    "words of a shorter one; runs that many pairs share prove nothing. Re-worded items are not found this way. Of "
    "held-out questions the question alone is looked for, since their passages may be trained on. Pairs are taken out "
    "for test sets that prepare.leaks.benchmarks names."
)


def _row(row: dict[str, Any], taken: str) -> dict[str, Any]:
    kind, _, name = row["set"].rpartition(":")
    return {
        "name": (name[:1].upper() + name[1:]) if row["set"] == HELD_OUT else name,
        "kind": {"text": "running text, its lines", "": "" if row["set"] == HELD_OUT else "benchmark"}.get(kind, kind),
        "items": f"{row['items']:,}",
        "taken": taken,
        "left": f"{row['pairs']:,}",
        "found": row["pairs"] > 0,
        "examples": row["examples"],
    }


def _named(found: Evidence) -> dict[str, Any] | None:
    """The test sets that preparation already kept out of training."""
    files = found.recipe.prepare.leaks.benchmarks if found.recipe else []
    if not files:
        return None
    taken = sum(d.reason.startswith("leak: benchmark") for d in found.dropped)
    names = [Dataset.of(file).path or Dataset.of(file).hub for file in files]
    kind = ", ".join(str(name).rsplit("/", 1)[-1] for name in names)
    blank = {"items": "–", "left": "0", "found": False, "examples": []}
    return {"name": "Named by the recipe", "kind": kind, "taken": f"{taken:,}", **blank}


def _sentences(rows: Sequence[dict[str, Any]], train: int) -> list[str]:
    held = [row for row in rows if row["pairs"]]
    compared = f"Compared with {len(rows)} set{'s' if len(rows) > 1 else ''} of {sum(r['items'] for r in rows):,} items"
    if not held:
        return [f"**No**: none of the {train:,} pairs trained on holds a part of an item. {compared}."]
    worst = ", ".join(f"{row['set'].removeprefix('text:')} in {row['pairs']:,}" for row in held)
    return [f"**Yes**: of {train:,} pairs trained on, parts of {worst}. Scores there may flatter the tuned model."]
