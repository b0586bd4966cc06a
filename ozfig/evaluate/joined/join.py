"""Models of several runs over the questions that all of them were asked, compared as those of one run are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ozfig import __version__, files
from ozfig.errors import UserError
from ozfig.evaluate import results
from ozfig.evaluate.joined import tasks
from ozfig.evaluate.joined.member import Member
from ozfig.evaluate.joined.recipes import differences
from ozfig.evaluate.results import Cell, Plan
from ozfig.types import Example, Manifest, Sample

FEWEST = 2
TRAINING = ("rows", "tokens", "trained_tokens", "steps", "first_loss", "final_loss")  # figures of a tune stage


@dataclass(frozen=True)
class Joined:
    """The shared questions, every member's replies to them, and the contents of a report.json."""

    items: list[Example]
    samples: list[Sample]
    report: dict[str, Any]


def join(members: Sequence[Member], steps: Sequence[tuple[str, str]], across: Sequence[tuple[Cell, Cell]]) -> Joined:
    """Measure the members against each other. `steps` are the names to compare within each condition.

    Raises UserError when the runs were not measured alike, or share too few questions.
    """
    reports = {m.run: files.read_json(m.run / "evaluate" / "report.json") for m in members}
    _check_alike(reports)
    items = {e.id: e for m in members for e in _held_out(m.run)}
    said = {member.name: _samples(member) for member in members}
    samples = _alike(_shared(said))
    asked = {sample.item for sample in samples}
    found = [e for e in items.values() if e.id in asked]
    first, *others = reports.values()
    metrics = [m for m in first["settings"]["metrics"] if all(m in r["settings"]["metrics"] for r in others)]
    if not any("answer_loss" in sample.scores for sample in samples):
        metrics = [m for m in metrics if m != "perplexity"]
    settings = {**first["settings"], "metrics": metrics}
    plan = Plan(settings["resamples"], first["seed"], steps, results.documents(found), across)
    compared = results.comparisons(samples, plan) + tasks.comparisons(members, reports, plan)
    report = {
        "seed": first["seed"],
        "settings": settings,
        "members": [_member(m, reports[m.run]) for m in members],
        "versions": {"ozfig": __version__, "code": first["versions"]["code"]},
        "scores": [s.to_row() for s in results.scores(samples, metrics, plan) + tasks.scores(members, reports)],
        "comparisons": [c.to_row() for c in results.adjusted(compared)],
        "tasks": tasks.listed(reports.values()),
        "notes": _notes(reports, said, asked),
        "recipes": differences({m.run_name: m.run for m in members}),
    }
    return Joined(found, samples, report)


def _check_alike(reports: Mapping[Path, dict[str, Any]]) -> None:
    """Figures are comparable only when replies had the same room and were scored alike."""
    (first, own), *others = reports.items()
    for run, report in others:
        names = ["max_tokens"]
        if all("bertscore" in r["settings"]["metrics"] for r in (own, report)):
            names += ["bertscore_model", "bertscore_idf"]
        for name in names:
            a, b = own["settings"].get(name), report["settings"].get(name)
            if a != b:
                raise UserError(f"{run}: evaluate.{name} is {b}, in {first} {a}; evaluate both alike")
        a, b = ({s["version"] for s in r["scores"] if s["task"] == results.TASK} for r in (own, report))
        if a != b:
            raise UserError(
                f"{run} and {first} were scored by different rules; remove evaluate/ of the older one and run: "
                f"ozfig evaluate {run}/recipe.yaml"
            )


def _notes(
    reports: Mapping[Path, dict[str, Any]], said: Mapping[str, Sequence[Sample]], asked: Collection[str]
) -> list[str]:
    """What a reader should know of runs that are alike in what counts, and not in all."""
    notes = []
    own = {sample.item for samples in said.values() for sample in samples}
    if len(own) > len(asked):
        notes.append(
            f"{len(asked):,} questions were asked of all; {len(own) - len(asked):,} of some only are left out."
        )
    if len({report["versions"]["code"] for report in reports.values()}) > 1:
        notes.append("The runs were measured by different versions of ozfig's code, whose scoring rules are the same.")
    return notes


def _held_out(run: Path) -> list[Example]:
    return [Example.from_row(row) for row in files.read_jsonl(run / "prepare" / "held_out.jsonl")]


def _samples(member: Member) -> list[Sample]:
    """A member's samples, under its name here."""
    rows = (Sample.from_row(row) for row in files.read_jsonl(member.run / "evaluate" / "samples.jsonl"))
    return [replace(sample, model=member.name) for sample in rows if sample.model == member.point]


def _shared(said: Mapping[str, Sequence[Sample]]) -> list[Sample]:
    """The samples of questions that every member was asked under a condition that it was asked under at all.

    A member that cannot be asked without a text has no closed-book samples; the others keep theirs.
    """
    asked: dict[Cell, set[str]] = {}
    for name, samples in said.items():
        for sample in samples:
            asked.setdefault((name, sample.condition), set()).add(sample.item)
    common: dict[str, set[str]] = {}
    for (_, condition), items in asked.items():
        common[condition] = common[condition] & items if condition in common else set(items)
    kept = [s for samples in said.values() for s in samples if len(common[s.condition]) >= FEWEST]
    kept = [s for s in kept if s.item in common[s.condition]]
    if set(said) != {s.model for s in kept}:
        raise UserError(
            "the runs share too few held-out questions to be compared; give both the same prepare.held_out "
            "(the same file, or the same sources, share and seed)"
        )
    return kept


def _alike(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with the scores that every model has one of somewhere, so that no chart lacks one of them."""
    columns: dict[str, set[str]] = {}
    for sample in samples:
        columns.setdefault(sample.model, set()).update(sample.scores)
    kept = set.intersection(*columns.values())
    return [replace(s, scores={name: value for name, value in s.scores.items() if name in kept}) for s in samples]


def _member(member: Member, report: dict[str, Any]) -> dict[str, Any]:
    versions = report["versions"]
    tuning = member.run / "tune" / "manifest.json"
    trained = Manifest.from_row(files.read_json(tuning)).metrics if member.point != "base" and tuning.exists() else {}
    return {
        "name": member.name,
        "run": member.run_name,
        "point": member.point,
        "base": report["base"],
        "model": versions["models"].get(member.point, ""),
        "data": versions["data"],
        "training": {name: trained[name] for name in TRAINING if name in trained},
    }
