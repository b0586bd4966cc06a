"""The run folder: what is finished, what was changed behind its back, and who may work in it."""

import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.types import Manifest, ModelRef


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "yard")
    run.freeze(Recipe.model_validate({"gather": {"sources": [{"kind": "documents", "path": str(tmp_path)}]}}))
    return run


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"not a run folder .* make one with: ozfig run"):
        Run.open(tmp_path)


def test_the_recipe_comes_back(run):
    assert Run.open(run.folder).recipe.gather.sources[0].kind == "documents"


def test_an_output_that_was_edited_or_lost_is_noticed(run):
    files.write_text(run.stage("tune") / "adapter" / "weights", "1")
    hashes = {"adapter": files.sha256_path(run.stage("tune") / "adapter")}
    run.write_manifest(Manifest("tune", "k", "k", {}, hashes, {}, {}, 1.0, 1.0))
    found = run.manifest("tune")
    assert run.is_intact(found)
    files.write_text(run.stage("tune") / "adapter" / "more", "2")
    assert not run.is_intact(found)
    assert run.manifest("export") is None


def test_models_move_with_their_run(run, tmp_path):
    inside = run.folder.resolve() / "tune" / "adapter"
    run.write_models(
        {
            "base": ModelRef("transformers", "/models/base", "base"),
            "tuned": ModelRef("adapter", str(inside), "yard", base="/models/base"),
        }
    )
    moved = run.folder.rename(tmp_path / "elsewhere")
    found = Run(moved).models()
    assert found["tuned"].path == str(moved.resolve() / "tune" / "adapter")
    assert found["tuned"].base == found["base"].path == "/models/base"


def test_two_at_once_are_refused(run):
    with (
        run.lock(),
        pytest.raises(UserError, match="another ozfig is working in this run"),
        Run(run.folder).lock(),
    ):
        pass
    with run.lock():
        pass
