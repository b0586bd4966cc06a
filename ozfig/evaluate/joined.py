"""Models of several runs over the questions that all of them were asked, compared as those of one run are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ozfig import __version__, files
from ozfig.errors import UserError
from ozfig.evaluate import results
from ozfig.evaluate.results import Cell, Plan
from ozfig.types import Example, Sample

FEWEST = 2


@dataclass(frozen=True)
class Member:
    """A model in a comparison of runs: its name there, the run's folder, and the point that it was there."""

    name: str
    run: Path
    point: str


@dataclass(frozen=True)
class Joined:
    """The shared questions, every member's replies to them, and the contents of a report.json."""

    items: list[Example]
    samples: list[Sample]
    report: dict[str, Any]


def join(members: Sequence[Member], steps: Sequence[tuple[str, str]], across: Sequence[tuple[Cell, Cell]]) -> Joined:
    """Measure the members against each other. `steps` are the names to compare within each condition.

    Raises UserError when the runs were not measured by one code and recipe section, or share too few questions.
    """
    reports = {m.run: files.read_json(m.run / "evaluate" / "report.json") for m in members}
    _check_alike(reports)
    items = {e.id: e for m in members for e in _held_out(m.run)}
    samples = _shared([sample for member in members for sample in _samples(member)], [m.name for m in members])
    asked = {sample.item for sample in samples}
    found = [e for e in items.values() if e.id in asked]
    first = reports[members[0].run]
    settings = first["settings"]
    plan = Plan(settings["resamples"], first["seed"], steps, results.documents(found), across)
    compared = results.adjusted(results.comparisons(samples, plan))
    report = {
        "seed": first["seed"],
        "settings": settings,
        "members": [_member(m, reports[m.run]) for m in members],
        "versions": {"ozfig": __version__, "code": first["versions"]["code"]},
        "scores": [s.to_row() for s in results.scores(samples, settings["metrics"], plan)],
        "comparisons": [c.to_row() for c in compared],
    }
    return Joined(found, samples, report)


def _check_alike(reports: Mapping[Path, dict[str, Any]]) -> None:
    """Figures are comparable only when the same code scored replies of the same length by the same metrics."""
    (first, own), *others = reports.items()
    for run, report in others:
        for name in ("metrics", "max_tokens", "bertscore_model", "bertscore_idf"):
            a, b = own["settings"].get(name), report["settings"].get(name)
            if a != b:
                raise UserError(f"{run}: evaluate.{name} is {b}, in {first} {a}; evaluate both alike")
        if own["versions"]["code"] != report["versions"]["code"]:
            raise UserError(
                f"{run} and {first} were measured by different versions of ozfig; evaluate both again: "
                f"ozfig evaluate {run}/recipe.yaml"
            )


def _held_out(run: Path) -> list[Example]:
    return [Example.from_row(row) for row in files.read_jsonl(run / "prepare" / "held_out.jsonl")]


def _samples(member: Member) -> list[Sample]:
    """A member's samples, under its name here."""
    rows = (Sample.from_row(row) for row in files.read_jsonl(member.run / "evaluate" / "samples.jsonl"))
    return [replace(sample, model=member.name) for sample in rows if sample.model == member.point]


def _shared(samples: Sequence[Sample], names: Sequence[str]) -> list[Sample]:
    """The samples of questions that every member was asked under a condition that every member was asked under.

    A member that cannot be asked without a text has no closed-book samples; the others keep theirs.
    """
    asked: dict[Cell, set[str]] = {}
    for sample in samples:
        asked.setdefault((sample.model, sample.condition), set()).add(sample.item)
    common: dict[str, set[str]] = {}
    for (_, condition), items in asked.items():
        common[condition] = common[condition] & items if condition in common else set(items)
    kept = [s for s in samples if s.item in common[s.condition]]
    missing = set(names) - {s.model for s in kept}
    if missing or max(map(len, common.values()), default=0) < FEWEST:
        raise UserError(
            "the runs share too few held-out questions to be compared; give both the same prepare.held_out "
            "(the same file, or the same sources, share and seed)"
        )
    return kept


def _member(member: Member, report: dict[str, Any]) -> dict[str, Any]:
    versions = report["versions"]
    return {
        "name": member.name,
        "run": member.run.name,
        "point": member.point,
        "base": report["base"],
        "model": versions["models"].get(member.point, ""),
        "data": versions["data"],
    }
