"""A run with prepared pairs."""

from pathlib import Path

import pytest

from ozfig import files, recipes
from ozfig.engines.resolve import resolve
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.types import Example, Manifest


def passage(i: int) -> str:
    return f"In the street of {i} doors house {i} is red, as everybody knows who came by. " * (1 + i % 3)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> tuple[Recipe, Run]:
    folder = tmp_path_factory.mktemp("forecast")
    (folder / "faq.csv").write_text("question,answer\n" + "\n".join(f"Question {i}?,Answer {i}." for i in range(40)))
    values = {
        "name": "houses",
        "base": "pebble",
        "system": "Be brief.",
        "gather": {"sources": [{"kind": "dataset", "path": str(folder / "faq.csv")}]},
        "tune": {"rank": 4, "passage_share": 0.5, "batch_tokens": 64},
    }
    recipe, run = recipes.parse(Recipe, values, "houses"), Run(folder / "houses")
    rows = [Example.pair(f"Which colour has house {i}?", f"House {i} is red.", context=passage(i)) for i in range(40)]
    for name, part in (("train", rows[:32]), ("held_out", rows[32:])):
        files.write_jsonl(run.stage("prepare") / f"{name}.jsonl", [row.to_row() for row in part])
    run.write_manifest(Manifest("prepare", "key", "key", {}, {}, {}, {}, 1.0, 1.0))
    return recipe, run


@pytest.fixture(scope="session")
def base():
    return resolve("pebble")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path
