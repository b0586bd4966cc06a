from pathlib import Path

import pytest

from ozfig import files, recipes
from ozfig.engines.loading import load_tokenizer
from ozfig.forecast import rows
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.tune import tokens
from ozfig.types import Document, Example, Manifest


def test_counted_rows_are_about_those_that_training_makes(prepared, base):
    recipe, run = prepared
    found = rows.estimate(recipe, run, base)
    examples = [Example.from_row(row) for row in files.read_jsonl(run.stage("prepare") / "train.jsonl")]
    real = tokens.encode_all(examples, load_tokenizer(Path(base.path)), recipe.tune, recipe.system, 1024)
    assert len(found.lengths) == len(real.rows)
    assert found.total == pytest.approx(sum(len(row.ids) for row in real.rows), rel=0.1)
    assert sum(found.trained) == pytest.approx(sum(row.trained for row in real.rows), rel=0.1)
    assert (found.asked, found.basis) == (8, "prepared pairs")


def test_before_pairs_are_made_the_gathered_text_counts(prepared, base, tmp_path):
    recipe, _ = prepared
    run = Run(tmp_path)
    gathered = [Document.make("a", "A", "x" * rows.PAIR * 50).to_row()]
    files.write_jsonl(run.stage("gather") / "documents.jsonl", gathered)
    files.write_jsonl(run.stage("gather") / "examples.jsonl", [])
    run.write_manifest(Manifest("gather", "key", "key", {}, {}, {}, {}, 1.0, 1.0))
    found = rows.estimate(recipe, run, base)
    assert (len(found.lengths), found.asked, found.basis) == (75, 5, "gathered text")


def test_before_anything_the_sources_are_guessed_from(prepared, base, tmp_path):
    recipe, _ = prepared
    found = rows.estimate(recipe, Run(tmp_path), base)
    assert len(found.lengths) == 61  # 41 lines, half of them also with a passage
    assert "guess" in found.basis
    (tmp_path / "notes.md").write_text("word " * 2600)
    sources = [{"kind": "website", "url": "http://127.0.0.1/", "max_pages": 20}]
    sources += [{"kind": "documents", "path": str(tmp_path / "notes.md")}]
    other = recipes.parse(Recipe, {"name": "x", "gather": {"sources": sources}, "tune": {"context": "none"}}, "x")
    pairs = 20 * rows.PAGE // rows.PAIR + 100
    assert len(rows.estimate(other, Run(tmp_path), base).lengths) == pairs
