"""Base, tuned and quantised model answer the same benchmark items; scores and comparisons follow.

A part is what one model said to one task. It is written when it is whole, so that a run that was killed does
not ask again. Filters and metrics are the task's own and run over the stored answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ozfig import console, files
from ozfig.engines.loading import free_memory
from ozfig.engines.transformers import TransformersEngine
from ozfig.evaluate.results import Plan
from ozfig.evaluate.tasks import items
from ozfig.evaluate.tasks.load import hushed
from ozfig.evaluate.tasks.model import Answerer
from ozfig.evaluate.tasks.table import Loaded, Measured, Table, Values
from ozfig.recipe import Evaluate
from ozfig.types import ModelRef

Open = Callable[[ModelRef], TransformersEngine]
METHOD = 1  # raise it when the same weights and requests would give other answers


@dataclass(frozen=True)
class Part:
    """What one model has to answer of one task, and the file that holds it once it is answered."""

    point: str
    loaded: Loaded
    path: Path


def measure(
    loaded: Sequence[Loaded],
    models: Mapping[str, ModelRef],
    section: Evaluate,
    open_engine: Open,
    folder: Path,
    plan: Plan,
) -> Measured:
    """Ask every causal model on this machine every task; one is in memory at a time."""
    able = {point: ref for point, ref in models.items() if not ref.only_answers and not ref.head}
    parts = [
        _part(point, ref, task, section.batch, folder, plan.seed) for point, ref in able.items() for task in loaded
    ]
    _answer(parts, able, section.batch, open_engine, plan.seed)
    table = Table(plan)
    samples: list[dict[str, Any]] = []
    for part in parts:
        rows, values = _scored(part)
        samples += rows
        table.add(part.point, part.loaded, values)
    asked = {t.asked: [item for part in loaded if part.asked == t.asked for item in items.of(part)] for t in loaded}
    return Measured(samples, table.scores(), table.comparisons(), _listed(loaded), version("lm_eval"), asked)


def _listed(loaded: Sequence[Loaded]) -> list[dict[str, Any]]:
    """The names and conditions of the recipe; what stands for several tasks names its parts."""
    parts: dict[tuple[str, str], list[str]] = {}
    for task in loaded:
        parts.setdefault((task.asked, task.condition), []).append(task.name)
    return [
        {"task": name, "condition": condition, **({} if names == [name] else {"parts": names})}
        for (name, condition), names in parts.items()
    ]


def _part(point: str, model: ModelRef, task: Loaded, batch: int, folder: Path, seed: int) -> Part:
    """A part whose file's name changes with whatever could change its answers."""
    asked = [(request.request_type, request.args, request.repeats) for request in task.requests]
    key = files.sha256_value([METHOD, model.sha256, repr(asked), batch, seed])
    name = re.sub(r"[^\w.-]+", "_", task.name)
    return Part(point, task, folder / f"{point}.{name}.{key[:16]}.jsonl")


def _answer(parts: Sequence[Part], models: Mapping[str, ModelRef], batch: int, open_engine: Open, seed: int) -> None:
    """Write the parts that are not there yet."""
    todo = [part for part in parts if not part.path.exists()]
    with console.bar("benchmarks", total=sum(_count(part.loaded) for part in todo), unit="requests") as bar:
        for point in dict.fromkeys(part.point for part in todo):
            engine = open_engine(models[point])
            for part in (p for p in todo if p.point == point):

                def progress(answered: int, part: Part = part) -> None:
                    bar.advance(answered, model=part.point, task=part.loaded.name)

                answers = _ask(part.loaded, Answerer(engine, batch, seed, progress))
                files.write_jsonl(part.path, ({"answers": given} for given in answers))
            del engine
            free_memory()


def _count(task: Loaded) -> int:
    return sum(request.repeats or 1 for request in task.requests)


def _ask(task: Loaded, answerer: Answerer) -> list[list[Any]]:
    """For each request its answers: one, or as many as the task repeats it."""
    found: list[list[Any]] = [[] for _ in task.requests]
    for kind in dict.fromkeys(request.request_type for request in task.requests):
        numbers = [i for i, r in enumerate(task.requests) if r.request_type == kind for _ in range(r.repeats or 1)]
        with hushed():
            given = getattr(answerer, kind)([task.requests[i] for i in numbers], disable_tqdm=True)
        for number, answer in zip(numbers, given, strict=True):
            found[number].append(_rounded(answer))
    return found


def _rounded(answer: Any) -> Any:
    """An answer as it is stored: text, a log-probability, or one with whether it is greedy."""
    if isinstance(answer, tuple):
        return [round(answer[0], 6), answer[1]]
    return round(answer, 6) if isinstance(answer, float) else answer


def _scored(part: Part) -> tuple[list[dict[str, Any]], Values]:
    """The samples of a part, and each metric's value for every item as its aggregation takes it."""
    task, requests = part.loaded.task, part.loaded.requests
    for request, row in zip(requests, files.read_jsonl(part.path), strict=True):
        request.resps = [tuple(given) if isinstance(given, list) else given for given in row["answers"]]
        request.filtered_resps = {}
    with hushed():
        task.apply_filters()
        by_item: dict[int, list[Any]] = {}
        for request in sorted(requests, key=lambda r: r.idx):
            by_item.setdefault(request.doc_id, []).append(request)
        values: Values = {}
        samples = []
        for item, asked in sorted(by_item.items()):
            found = dict(_metrics(task, asked))
            for metric, (value, aggregate) in found.items():
                values.setdefault(metric, (aggregate, []))[1].append(value)
            samples.append(_sample(part, item, asked, {name: value for name, (value, _) in found.items()}))
    return samples, values


def _metrics(task: Any, asked: Sequence[Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Every metric of one item with its aggregation; with several filters the filter is part of the name."""
    filters = list(asked[0].filtered_resps)
    for name in filters:
        scores = task.process_results(asked[0].doc, [request.filtered_resps[name] for request in asked])
        for metric, value in scores.items():
            if metric == "bypass":  # stores replies, scores nothing
                continue
            shown = metric if len(filters) == 1 else f"{metric},{name}"
            yield shown, (value, task.aggregation().get(metric))


def _sample(part: Part, item: int, asked: Sequence[Any], scores: dict[str, Any]) -> dict[str, Any]:
    """A row of task_samples.jsonl: enough for another metric without the model."""
    task, kind = part.loaded.task, asked[0].request_type
    row = {
        "model": part.point,
        "task": part.loaded.name,
        "condition": part.loaded.condition,
        "item": item,
        "prompt": asked[0].args[0],
        "target": plain(task.doc_to_target(asked[0].doc)),
        "scores": {name: plain(value) for name, value in scores.items()},
    }
    if kind == "generate_until":
        return row | {"replies": asked[0].resps}
    answers = [request.resps[0] for request in asked]
    if kind == "loglikelihood_rolling":
        return row | {"loglikelihoods": answers}
    contexts = [request.args[0] for request in asked]
    return row | {
        "choices": [request.args[1] for request in asked],
        **({} if len(set(contexts)) == 1 else {"prompts": contexts}),
        "loglikelihoods": [value for value, _ in answers],
        "greedy": [greedy for _, greedy in answers],
    }


def plain(value: Any) -> Any:
    """A value of a task as JSON has it."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6)
    return value if isinstance(value, str | int | bool | None) else str(value)
