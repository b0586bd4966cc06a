"""data.html: the pairs of a run to look at, with what was dropped and why. Written from the stage's own files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ozfig import files, pages
from ozfig.pages import charts
from ozfig.prepare.texts import rewritten
from ozfig.types import Dropped, Example

TEMPLATES = Path(__file__).parent / "templates"
SAMPLES = 12  # pairs shown, chosen by their ids, which are hashes
SHOWN = 15  # rows shown of each reason
ANSWER_EDGES = [0, 3, 6, 12, 25, 50, 100, 200, 400]
QUESTION_EDGES = [0, 4, 8, 12, 16, 24, 40, 80]


@dataclass
class _Side:
    """Lengths and a few samples of one side's rows."""

    questions: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    makers: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: list[Example] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> _Side:
        side = cls()
        for row in files.read_jsonl(path):
            example = Example.from_row(row)
            side.questions.append(len(example.question.split()))
            side.answers.append(len(example.answer.split()))
            side.makers[example.origin or "unnamed", example.maker or "dataset"] += 1
            side.samples.append(example)
            if len(side.samples) > 2 * SAMPLES:
                side.samples = sorted(side.samples, key=lambda e: e.id[::-1])[:SAMPLES]
        side.samples = sorted(side.samples, key=lambda e: e.id[::-1])[:SAMPLES]
        return side


def write(folder: Path, name: str, metrics: dict[str, Any], mask: Callable[[str], str]) -> None:
    """Write data.html into the stage's folder. `mask` hides in what was dropped what the recipe hides in pairs."""
    train, held_out = _Side.read(folder / "train.jsonl"), _Side.read(folder / "held_out.jsonl")
    dropped, flagged = (_by_reason(folder / f"{file}.jsonl") for file in ("dropped", "review"))
    run = f"{folder.parent.parent.name}/{folder.parent.name}"
    values = {
        "style": pages.style(TEMPLATES / "data.css"),
        "name": name,
        "date": datetime.now(UTC).strftime("%-d %B %Y"),
        "metrics": metrics,
        "lede": _lede(metrics),
        "sources": _sources(train),
        "charts": [
            _histogram("Words of a question", train.questions, held_out.questions, QUESTION_EDGES),
            _histogram("Words of an answer", train.answers, held_out.answers, ANSWER_EDGES),
            *_similarities([*dropped.values(), *flagged.values()]),
        ],
        "dropped": [_reason(r, d, mask) for r, d in dropped.items()],
        "flagged": [_reason(r, d, mask) for r, d in flagged.items()],
        "samples": train.samples,
        "held_out": held_out.samples,
        "run": run,
    }
    files.write_text(folder / "data.html", pages.environment(TEMPLATES).get_template("data.html").render(values))


def _lede(metrics: dict[str, Any]) -> str:
    found, dropped = sum(metrics["pairs"].values()), sum(metrics["dropped"].values())
    passages = f"**{metrics['train_with_context']:,}** of them with the passage that holds the answer"
    text = f"Of **{found:,} pairs** that were found, **{metrics['train']:,}** are trained on, {passages}. "
    text += f"**{dropped:,}** were taken out or changed"
    flagged = sum(metrics["review"].values())
    return text + (f", and **{flagged:,}** more should be looked at." if flagged else ".")


def _sources(train: _Side) -> list[dict[str, Any]]:
    """A row for each source and maker with a bar of its share."""
    most = max(train.makers.values())
    return [
        {"origin": origin, "maker": maker, "n": n, "bar": charts.share(n / most)}
        for (origin, maker), n in sorted(train.makers.items(), key=lambda item: (-item[1], item[0]))
    ]


def _histogram(title: str, train: list[int], held_out: list[int], edges: list[int]) -> dict[str, Any]:
    """Shares of both sides in each bin; the last bin is open."""
    return {
        "title": title,
        "n": f"{len(train):,} trained on, {len(held_out):,} held out",
        "bars": charts.histogram([_shares(train, edges), _shares(held_out, edges)], ["tuned", "quantised"]),
        "edges": [str(edge) for edge in edges],
        "names": ["trained on", "held out"],
    }


def _shares(values: list[int], edges: list[int]) -> list[float]:
    counts = [sum(low <= v < high for v in values) for low, high in zip(edges, [*edges[1:], 10**9], strict=True)]
    return [count / len(values) for count in counts]


def _similarities(groups: Iterable[list[Dropped]]) -> Iterator[dict[str, Any]]:
    """How alike the duplicates were that have a measured similarity."""
    scores = [note.score for group in groups for note in group if note.score is not None]
    if scores:
        edges = [n / 20 for n in range(10, 20)]
        counts = [sum(edge <= s < edge + 0.05 or (edge > 0.9 and s >= 1) for s in scores) for edge in edges]
        yield {
            "title": "Similarity of repeated pairs",
            "n": f"{len(scores):,} with a neighbour",
            "bars": charts.histogram([[count / len(scores) for count in counts]], ["tuned"]),
            "edges": [f"{edge:.2f}" for edge in edges],
            "names": [],
        }


def _by_reason(path: Path) -> dict[str, list[Dropped]]:
    """The rows of dropped.jsonl or review.jsonl under their reasons, the commonest first."""
    found: dict[str, list[Dropped]] = defaultdict(list)
    for row in files.read_jsonl(path):
        note = Dropped.from_row(row)
        found[note.reason].append(note)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _reason(reason: str, notes: list[Dropped], mask: Callable[[str], str]) -> dict[str, Any]:
    """A reason with its count and its first rows, those nearest to their neighbour at the top."""
    ordered = sorted(notes, key=lambda n: (-(n.score or 0), n.example.id))[:SHOWN]
    rows = [replace(n, example=rewritten(n.example, mask), neighbour=mask(n.neighbour)) for n in ordered]
    return {"reason": reason, "n": len(notes), "rows": rows, "more": max(0, len(notes) - SHOWN)}
