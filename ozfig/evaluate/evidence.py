"""What a reader needs to believe the figures: where the data came from, what was dropped, what was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ozfig import files, recipes
from ozfig.recipe import Recipe
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
    validation: list[dict[str, Any]] = field(default_factory=list)
    speed: dict[str, float] = field(default_factory=dict)
    file_speed: dict[str, dict[str, float]] = field(default_factory=dict)
    recipe: Recipe | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    quantised: str = ""

    def metric(self, stage: str, name: str) -> Any:
        """A figure of a stage's manifest, or None."""
        return self.manifests[stage].metrics.get(name) if stage in self.manifests else None


def read(job: Job) -> Evidence:
    """Collect what the run's earlier stages wrote, as far as it is there."""
    manifests = {s: Manifest.from_row(files.read_json(p)) for s in STAGES if (p := _there(job, f"manifest_{s}"))}
    tokens = files.read_json(path) if (path := _there(job, "shown_tokens")) else []
    first = job.models.get("quantised")
    merged = Path(first.base) if first else None
    return Evidence(
        manifests=manifests,
        train=[Example.from_row(row) for row in _rows(job, "train")],
        dropped=[Dropped.from_row(row) for row in _rows(job, "dropped")],
        log=list(_rows(job, "tune_log")),
        tokens=[[(text, trained) for text, trained in runs] for runs in tokens[:ROWS_SHOWN]],
        plan=files.read_json(path) if (path := _there(job, "plan")) else {},
        quantised=first.quantisation if first else "",
        full_bytes=sum(p.stat().st_size for p in merged.glob("*.safetensors")) if merged else 0,
        validation=list(_rows(job, "validation")),
        speed=files.read_json(path) if (path := _there(job, "speed")) else {},
        file_speed=files.read_json(path) if (path := _there(job, "file_speed")) else {},
        recipe=recipes.load(Recipe, path) if (path := _there(job, "recipe")) else None,
    )


def _there(job: Job, name: str) -> Path | None:
    path = job.inputs.get(name)
    return path if path and path.exists() else None


def _rows(job: Job, name: str) -> Iterator[dict[str, Any]]:
    path = _there(job, name)
    return files.read_jsonl(path) if path else iter(())


def steps(evidence: Evidence) -> Steps:
    """(step, count, remark) from the sources to the tokens with a loss; what is not known is left out."""
    rows = [
        ("Pages and files gathered", evidence.metric("gather", "documents"), _gathered(evidence)),
        ("Pairs in data sets", evidence.metric("gather", "examples"), ""),
        ("Pairs in all", _total(evidence.metric("prepare", "pairs")), _breakdown(evidence.metric("prepare", "pairs"))),
        ("Pairs dropped", len(evidence.dropped), "with reason and neighbour, below"),
        ("Pairs trained on", len(evidence.train), _breakdown(Counter(e.maker or "dataset" for e in evidence.train))),
        ("Tokens with a loss", evidence.metric("tune", "trained_tokens"), _trained(evidence)),
        ("Passages shortened", evidence.metric("tune", "passages_cut"), "to the model's context, around the answer"),
    ]
    return [(step, f"{count:,}", remark) for step, count, remark in rows if count]


def _gathered(evidence: Evidence) -> str:
    """What a person should know of the pages."""
    little, failed = evidence.metric("gather", "little_text") or [], evidence.metric("gather", "failed") or []
    browser = evidence.metric("gather", "needs_browser") or 0
    remarks = [
        f"{evidence.metric('gather', 'characters') or 0:,} characters",
        f"{len(little)} gave little text: {_few(little)}" if little else "",
        f"{browser} show their text only in a browser" if browser else "",
        f"{len(failed)} failed: {_few(failed)}" if failed else "",
    ]
    return " · ".join(remark for remark in remarks if remark)


def _few(names: Iterable[str]) -> str:
    first = list(names)
    return ", ".join(first[:3]) + (" …" if len(first) > 3 else "")


def _trained(evidence: Evidence) -> str:
    """What the loss was computed on."""
    if evidence.metric("tune", "rows_without_passage") is not None:
        left_out = evidence.metric("tune", "rows_without_loss") or 0
        return f"where answers start and end; {left_out:,} rows had no passage or no answer in it"
    read, without = evidence.metric("tune", "tokens") or 0, evidence.metric("tune", "rows_without_loss") or 0
    return f"of {read:,} read; only what the assistant says counts; {without:,} rows had nothing to learn"


def _total(counts: dict[str, int] | None) -> int:
    return sum((counts or {}).values())


def _breakdown(counts: dict[str, int] | None) -> str:
    """The parts of a count, the largest first."""
    return " · ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in Counter(counts or {}).most_common())


def is_leak(reason: str) -> bool:
    """Whether a reason says that a pair repeated a held-out question."""
    return "leak" in reason.lower()


def drops(evidence: Evidence) -> list[dict[str, Any]]:
    """For each reason, leaks first: how many pairs were dropped, and a few of them beside their neighbours."""
    by_reason: dict[str, list[Dropped]] = {}
    for row in evidence.dropped:
        by_reason.setdefault(row.reason, []).append(row)
    ordered = sorted(by_reason.items(), key=lambda item: (not is_leak(item[0]), -len(item[1]), item[0]))
    return [
        {
            "reason": reason[:1].upper() + reason[1:],
            "leak": is_leak(reason),
            "count": len(rows),
            "examples": [
                {
                    "question": row.example.question,
                    "answer": row.example.answer,
                    "neighbour": row.neighbour,
                    "score": row.score,
                }
                for row in rows[:EXAMPLES_SHOWN]
            ],
        }
        for reason, rows in ordered
    ]
