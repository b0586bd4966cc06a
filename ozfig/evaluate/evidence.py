"""What a reader needs to believe the figures: where the data came from, what was dropped, what was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ozfig import files
from ozfig.types import Dropped, Example, Job, Manifest

EXAMPLES_SHOWN = 4
ROWS_SHOWN = 3
STAGES = ("gather", "prepare", "tune", "export")
Steps = list[tuple[str, str, str]]


@dataclass(frozen=True)
class Evidence:
    """What earlier stages left behind; all of it may be absent."""

    manifests: dict[str, Manifest]
    train: list[Example]
    dropped: list[Dropped]
    log: list[dict[str, Any]]
    tokens: list[list[tuple[str, bool]]]
    full_bytes: int

    def metric(self, stage: str, name: str) -> Any:
        """A figure of a stage's manifest, or None."""
        return self.manifests[stage].metrics.get(name) if stage in self.manifests else None


def read(job: Job) -> Evidence:
    """Collect what the run's earlier stages wrote, as far as it is there."""
    manifests = {s: Manifest.from_row(files.read_json(p)) for s in STAGES if (p := _there(job, f"manifest_{s}"))}
    tokens = files.read_json(path) if (path := _there(job, "shown_tokens")) else []
    merged = Path(job.models["quantised"].base) if "quantised" in job.models else None
    return Evidence(
        manifests=manifests,
        train=[Example.from_row(row) for row in _rows(job, "train")],
        dropped=[Dropped.from_row(row) for row in _rows(job, "dropped")],
        log=list(_rows(job, "tune_log")),
        tokens=[[(text, trained) for text, trained in runs] for runs in tokens[:ROWS_SHOWN]],
        full_bytes=sum(p.stat().st_size for p in merged.glob("*.safetensors")) if merged else 0,
    )


def _there(job: Job, name: str) -> Path | None:
    path = job.inputs.get(name)
    return path if path and path.exists() else None


def _rows(job: Job, name: str) -> Iterator[dict[str, Any]]:
    path = _there(job, name)
    return files.read_jsonl(path) if path else iter(())


def steps(evidence: Evidence) -> Steps:
    """(step, count, remark) from the sources to the tokens with a loss."""
    found = [row for stage in ("gather", "prepare") for row in _counted(evidence, stage)]
    if evidence.train:
        found.append(("Pairs trained on", _n(len(evidence.train)), _breakdown(makers(evidence.train))))
    trained, tokens = evidence.metric("tune", "trained_tokens"), evidence.metric("tune", "tokens")
    if trained and tokens:
        without = evidence.metric("tune", "rows_without_loss") or 0
        remark = f"of {_n(tokens)} read; only what the assistant says counts; {_n(without)} rows had none"
        found.append(("Tokens with a loss", _n(trained), remark))
    if cut := evidence.metric("tune", "passages_cut"):
        found.append(("Passages shortened", _n(cut), "to fit the model's context; the part around the answer is kept"))
    return found


def _counted(evidence: Evidence, stage: str) -> Steps:
    """The whole numbers of a stage's manifest; a group of numbers becomes one row with its parts."""
    found = []
    for name, value in (evidence.manifests[stage].metrics if stage in evidence.manifests else {}).items():
        step = f"{stage.capitalize()}: {name.replace('_', ' ')}"
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((step, _n(value), ""))
        elif isinstance(value, dict) and value and all(type(v) is int for v in value.values()):
            found.append((step, _n(sum(value.values())), _breakdown(Counter(value))))
    return found


def makers(examples: list[Example]) -> Counter[str]:
    """How many pairs each rule made."""
    return Counter(e.maker or "unnamed" for e in examples)


def _breakdown(counts: Counter[str]) -> str:
    return " · ".join(f"{_n(n)} {name.replace('_', ' ')}" for name, n in counts.most_common())


def _n(count: int) -> str:
    return f"{count:,}"


def is_leak(reason: str) -> bool:
    """Whether a reason says that a pair repeated a held-out question."""
    return "leak" in reason.lower()


def drops(evidence: Evidence) -> list[dict[str, Any]]:
    """For each reason, leaks first: how many pairs were dropped, and a few of them beside their neighbours."""
    by_reason: dict[str, list[Dropped]] = {}
    for row in evidence.dropped:
        by_reason.setdefault(row.reason, []).append(row)
    questions = {e.id: e.question for e in [*evidence.train, *(d.example for d in evidence.dropped)]}
    ordered = sorted(by_reason.items(), key=lambda item: (not is_leak(item[0]), -len(item[1]), item[0]))
    return [
        {
            "reason": reason.replace("_", " "),
            "leak": is_leak(reason),
            "count": len(rows),
            "examples": [
                {
                    "question": row.example.question,
                    "answer": row.example.answer,
                    "neighbour": questions.get(row.neighbour, row.neighbour),
                    "score": row.score,
                }
                for row in rows[:EXAMPLES_SHOWN]
            ],
        }
        for reason, rows in ordered
    ]
