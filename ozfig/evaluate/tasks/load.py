"""Benchmarks as lm-evaluation-harness's own task objects: its prompts, targets, filters and metrics."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
from datasets import Dataset
from datasets.exceptions import DatasetNotFoundError
from jinja2 import UndefinedError
from lm_eval.config.group import GroupConfig
from lm_eval.tasks import TaskManager

from ozfig.errors import OutsideError, UserError
from ozfig.evaluate.tasks import local, names
from ozfig.evaluate.tasks.table import Loaded
from ozfig.recipe import Benchmark

FEWSHOT_SEED = 1234  # lm-eval's own: the same solved examples as its command would draw
_OF_A_GROUP = {field.name for field in fields(GroupConfig)}
_MISREAD = (KeyError, TypeError, ValueError, IndexError, AttributeError, UndefinedError)


def load(benchmarks: Sequence[Benchmark]) -> list[Loaded]:
    """Every task that is asked for, groups and tags taken apart.

    Raises UserError for a task that cannot run here, OutsideError when its data set cannot be fetched.
    """
    found = [loaded for benchmark in benchmarks for loaded in _load(benchmark)]
    for (name, condition), times in Counter((task.name, task.condition) for task in found).items():
        if times > 1:
            raise UserError(f"evaluate.tasks: {name}: asked for {times} times ({condition}); once is enough")
    return found


def _load(benchmark: Benchmark) -> Iterator[Loaded]:
    manager, leaves = _leaves_of(benchmark.name)
    for leaf in leaves:
        with _explained(benchmark, leaf["task"]), hushed():
            # a group of one is how the manager takes a task with other settings
            group = {"group": "benchmark", "task": [leaf | _settings(benchmark, leaf["task"], manager)]}
            task = next(iter(manager.load([group])["tasks"].values()))
            _refuse(leaf["task"], task)
            task.set_fewshot_seed(FEWSHOT_SEED)
            task.build_all_requests(limit=benchmark.limit)
        shots = task.config.num_fewshot or 0
        yield Loaded(leaf["task"], benchmark.name, f"{shots}-shot", _version(task), task, task.instances)


def _leaves_of(name: str) -> tuple[TaskManager, list[dict[str, Any]]]:
    """The tasks that a name stands for, and a manager that knows them."""
    files, root = names.find(name), names.root()
    # of two files with one name the first counts here, the last for a manager
    folders = sorted({root / path.relative_to(root).parts[0] for path in files}, reverse=True)
    with hushed():
        manager = TaskManager(include_path=folders, include_defaults=False)
        try:
            return manager, list(_leaves(manager, name, {}))
        except LookupError:  # a group of tasks of other folders
            manager = TaskManager()
            return manager, list(_leaves(manager, name, {}))


def _leaves(manager: TaskManager, member: str | dict[str, Any], outer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The tasks of a group's member, each with the settings that it gets on the way; the inner ones count.

    Raises LookupError for a task that the manager does not know.
    """
    own = dict(member) if isinstance(member, dict) else {}
    name = own.pop("group", None) or own.pop("task", None) if own else member
    entry = manager.task_index.get(name)
    kind = entry.kind.name if entry else ""
    if kind == "TAG":
        for task in sorted(entry.tags):
            yield {**outer, **own, "task": task}
    elif kind == "GROUP" or isinstance(own.get("task"), list):
        config = {**(entry.cfg if entry else {}), **own}
        passed = {key: value for key, value in config.items() if key not in _OF_A_GROUP} | outer
        children = config["task"]
        for child in children if isinstance(children, list) else [children]:
            yield from _leaves(manager, child, passed)
    elif entry or "dataset_path" in own:  # a group may hold a task's whole definition
        yield {**outer, **own, "task": name}
    else:
        raise LookupError(name)


def _settings(benchmark: Benchmark, name: str, manager: TaskManager) -> dict[str, Any]:
    """What a recipe changes of a task: the number of solved examples, where the items come from."""
    shots = {} if benchmark.num_fewshot is None else {"num_fewshot": benchmark.num_fewshot}
    if not benchmark.file:
        return shots
    entry = manager.task_index.get(name)
    config = (entry.cfg if entry else None) or {}
    if "class" in config:
        raise UserError(f"evaluate.tasks: {name}: its items come from code of its own; it cannot read a file")
    splits = {"test": local.items(Path(benchmark.file), name, config)}
    if benchmark.fewshot_file:
        splits["train"] = local.items(Path(benchmark.fewshot_file), name, config)
    examples = dict(config.get("fewshot_config") or {})
    if "samples" not in examples:  # else the task brings its solved examples along
        examples["split"] = "train" if benchmark.fewshot_file else "test"
    data = {split: Dataset.from_list(rows) for split, rows in splits.items()}
    return shots | {
        "custom_dataset": lambda **_: data,
        "test_split": "test",
        "validation_split": None,
        "training_split": None,
        "fewshot_split": examples.get("split"),
        "fewshot_config": examples,
    }


def _refuse(name: str, task: Any) -> None:
    """Raises UserError for a task that runs what a model wrote, or that shows pictures or sound."""
    if getattr(task, "UNSAFE_CODE", False):
        raise UserError(f"evaluate.tasks: {name}: runs programs that the model writes; that is not done here")
    if getattr(task, "MULTIMODAL", False):
        raise UserError(f"evaluate.tasks: {name}: asks about pictures or sound; models here read text")


def _version(task: Any) -> float:
    """The task's version; 0 where its definition names none."""
    try:
        return float(task.VERSION)
    except (TypeError, ValueError):
        return 0.0


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep lm-eval's bars and remarks off the terminal within the block."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _explained(benchmark: Benchmark, name: str) -> Iterator[None]:
    """What can go wrong with a task of others, in one line."""
    mend = f"give its items in a file: {{name: {name}, file: ...}}"
    where = f"evaluate.tasks: {name}"
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{where}: its code needs a package that is not installed: {error.name}") from None
    except DatasetNotFoundError as error:
        raise UserError(f"{where}: the hub has no such data set, or it is closed ({_first(error)}); {mend}") from None
    except (OSError, httpx.HTTPError) as error:
        found = f"its data set cannot be fetched ({_first(error)})"
        raise OutsideError(f"{where}: {found}; run it again, or {mend}") from None
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        raise UserError(f"{where}: its data set is a program, which is not run here; {mend}") from None
    except _MISREAD as error:
        if not benchmark.file:
            raise
        raise UserError(f"{benchmark.file}: its rows lack what the task {name} reads: {_first(error)}") from None


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
