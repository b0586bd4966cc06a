"""The main job on a small data set with the embedded model: skipping, changing, killing."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ozfig import earlier, files, pipeline, recipes, registry
from ozfig.errors import UserError
from ozfig.pipeline.stages import up_to
from ozfig.pipeline.stale import look
from ozfig.recipe import Recipe
from ozfig.runs import STAGES, Run

FACTS = ["crane", "slipway", "fuel dock", "sail loft", "chandlery", "cafe", "dry dock", "hoist", "pontoon", "boathouse"]


def write_recipe(folder):
    rows = [f"When does the {fact} open?,The {fact} opens at {i + 6} in the morning." for i, fact in enumerate(FACTS)]
    rows += [f"Who looks after the {fact}?,Keeper number {i} looks after the {fact}." for i, fact in enumerate(FACTS)]
    (folder / "faq.csv").write_text("question,answer\n" + "\n".join(rows) + "\n")
    (folder / "small.yaml").write_text(
        "name: small\n"
        "gather: {sources: [{kind: dataset, path: faq.csv}]}\n"
        "prepare: {held_out: {share: 0.2}, clean: [{kind: exact}], leaks: {threshold: 1.0}}\n"
        "tune: {epochs: 2, batch_tokens: 128, rank: 4, checkpoint_minutes: 0.001}\n"
        "evaluate: {max_tokens: 8}\n"
    )
    return folder / "small.yaml"


def command(path, runs):
    return [sys.executable, "-m", "ozfig.cli", "run", str(path), "--runs", str(runs), "--json"]


def run_once(path, runs):
    done = subprocess.run(command(path, runs), capture_output=True, text=True, check=False, cwd=path.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def fingerprint(run):
    """Each stage's key and the hash of each of its outputs."""
    return {name: (run.manifest(name).key, run.manifest(name).outputs) for name in STAGES}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, its recipe and what the command printed."""
    folder = tmp_path_factory.mktemp("job")
    path = write_recipe(folder)
    printed = run_once(path, folder / "runs")
    return path, Run(folder / "runs" / "small"), printed


def test_the_result_is_one_object_with_the_contract_keys(finished):
    _, run, printed = finished
    assert printed["run"] == str(run.folder)
    assert {name: row["status"] for name, row in printed["stages"].items()} == dict.fromkeys(STAGES, "done")
    assert printed["models"]["quantised"].endswith("small.Q4_K_M.gguf")
    assert os.path.exists(printed["report"])
    report = files.read_json(run.folder / "evaluate" / "report.json")
    assert {"versions", "scores", "comparisons"} <= set(report)
    assert {row["model"] for row in report["scores"]} == {"base", "tuned", "quantised"}


def test_nothing_changed_means_nothing_runs(finished):
    path, run, _ = finished
    before = fingerprint(run)
    result = pipeline.execute(recipes.load(Recipe, path), run)
    assert {row["status"] for row in result.stages.values()} == {"skipped"}
    assert fingerprint(run) == before


def test_the_frozen_recipe_makes_the_same_run(finished):
    _, run, _ = finished
    frozen = run.recipe
    assert "auto" not in {frozen.tune.max_length, frozen.tune.packing, frozen.tune.batch_tokens}
    statuses = {row["status"] for row in pipeline.plan(frozen, run)}
    assert statuses == {"skip"}


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("seed=8", "prepare"),
        ("tune.rank=8", "tune"),
        ("export.quant=[Q8_0]", "export"),
        ("evaluate.max_tokens=9", "evaluate"),
    ],
)
def test_a_changed_section_reruns_only_what_depends_on_it(finished, change, first):
    path, run, _ = finished
    rows = {row["stage"]: row["status"] for row in pipeline.plan(recipes.load(Recipe, path, [change]), run)}
    position = STAGES.index(first)
    assert [rows[name] for name in STAGES] == ["skip"] * position + ["run"] * (len(STAGES) - position)


def test_a_missing_output_is_made_again(finished):
    path, run, _ = finished
    target = run.folder / "prepare" / "dropped.jsonl"
    kept = target.read_bytes()
    target.unlink()
    assert pipeline.plan(recipes.load(Recipe, path), run)[1]["why"] == "output missing or edited"
    target.write_bytes(kept)


def disturbed(path, runs, kills, seed):
    """Run the command, killing it `kills` times at random moments; returns the run."""
    chance = random.Random(seed)
    for _ in range(kills):
        process = subprocess.Popen(command(path, runs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(2, 18))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run_once(path, runs)
    return Run(runs / "small")


def test_killed_runs_end_with_the_same_hashes(finished, tmp_path):
    path, run, _ = finished
    assert fingerprint(disturbed(path, tmp_path, kills=2, seed=1)) == fingerprint(run)


@pytest.mark.soak
def test_many_killed_runs_end_with_the_same_hashes(finished, tmp_path):
    path, run, _ = finished
    for seed in range(10):
        assert fingerprint(disturbed(path, tmp_path / str(seed), kills=4, seed=seed)) == fingerprint(run)


def test_the_recipe_in_a_run_folder_belongs_to_that_run(finished, tmp_path):
    _, run, _ = finished
    words = [sys.executable, "-m", "ozfig.cli", "plan", str(run.folder / "recipe.yaml"), "--json", "--no-calibrate"]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path).stdout)
    assert found["run"] == str(run.folder)
    assert {row["status"] for row in found["stages"]} == {"skip"}


def test_a_new_tuning_takes_the_old_file_out_of_service(finished, tmp_path):
    path, run, _ = finished
    shutil.copytree(run.folder, tmp_path / "small")
    copy = Run(tmp_path / "small")
    changed = recipes.load(Recipe, path, ["tune.epochs=1"])
    assert "quantised" not in pipeline.execute(changed, copy, until="tune").models
    with pytest.raises(UserError, match="nothing exported yet"):
        pipeline.served([str(copy.folder)])


def test_two_processes_do_not_share_a_run(finished):
    path, run, _ = finished
    with run.lock():
        done = subprocess.run(command(path, run.folder.parent), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another ozfig is working in this run" in done.stderr


def test_a_moved_run_still_finds_its_models(finished, tmp_path):
    _, run, _ = finished
    moved = tmp_path / "elsewhere"
    shutil.copytree(run.folder, moved)
    found = pipeline.served([str(moved)])
    assert found.model.path == str(moved / "export" / "small.Q4_K_M.gguf")
    assert [model.name for model in found.models] == ["small", "small/base", "small/tuned"]
    both = pipeline.served([str(moved / "export" / "small.Q4_K_M.gguf"), str(moved)])
    assert [model.name for model in both.models] == ["small.Q4_K_M", "small", "small/base", "small/tuned"]
    assert both.recipe is None
    assert found.recipe.name == "small"
    assert len(found.questions) == 4


def test_a_first_gather_that_finds_nothing_leaves_no_run_behind(tmp_path):
    (tmp_path / "site").mkdir()
    site = {"kind": "website", "url": "http://yard.example/", "serve": str(tmp_path / "site"), "render": "never"}
    empty = recipes.parse(Recipe, {"name": "yard", "gather": {"sources": [site]}}, "test")
    run = Run(tmp_path / "runs" / "yard")
    with pytest.raises(UserError, match="answers 404"):
        pipeline.execute(empty, run, "gather")
    assert not run.folder.exists()
    (tmp_path / "site" / "index.html").write_text(f"<main><h1>Yard</h1><p>{'Words of the yard. ' * 20}</p></main>")
    table = {"kind": "dataset", "path": str(tmp_path / "empty.csv")}
    (tmp_path / "empty.csv").write_text("no,columns\n1,2\n")
    half = recipes.parse(Recipe, {"name": "yard", "gather": {"sources": [site, table]}}, "test")
    with pytest.raises(UserError):
        pipeline.execute(half, run, "gather")
    assert list(run.folder.glob("cache/gather/website/*.sqlite"))  # the pages are not asked for again


def test_a_command_that_fails_at_once_costs_nothing(finished, tmp_path):
    path, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    before, recipe = fingerprint(copy), (copy.folder / "recipe.yaml").read_bytes()
    with pytest.raises(UserError, match="no mps device here"):
        pipeline.execute(recipes.load(Recipe, path, ["tune.device=mps"]), copy)
    assert fingerprint(copy) == before
    assert (copy.folder / "recipe.yaml").read_bytes() == recipe


def test_what_was_made_and_begun_before_comes_back_with_its_recipe(finished, tmp_path):
    path, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    before = fingerprint(copy)
    changed = recipes.load(Recipe, path, ["tune.rank=8"])
    step = look(up_to("tune")[-1], changed, copy, copy.models(), False)
    earlier.put_aside(copy, "tune")
    half = copy.stage("tune")
    half.mkdir()
    (half / "key.txt").write_text(step.key)  # as a training that was killed leaves it
    (half / "log.jsonl").write_text('{"step": 1}\n')
    result = pipeline.execute(recipes.load(Recipe, path), copy)
    assert {row["status"] for row in result.stages.values()} == {"skipped"}
    assert fingerprint(copy) == before
    earlier.bring_back(copy, "tune", step.key)
    assert (half / "log.jsonl").read_text() == '{"step": 1}\n'


def test_a_file_that_is_still_right_is_found_again_after_another_tuning(finished, tmp_path):
    path, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    pipeline.execute(recipes.load(Recipe, path, ["tune.rank=8"]), copy, until="tune")
    assert "quantised" not in copy.models()
    result = pipeline.execute(recipes.load(Recipe, path), copy)
    assert result.stages["export"]["status"] == "skipped"
    assert result.models["quantised"] == copy.models()["quantised"]
    assert copy.models()["quantised"].path.endswith("small.Q4_K_M.gguf")


def test_what_changes_while_a_stage_runs_is_not_taken_as_seen(tmp_path, monkeypatch):
    path = write_recipe(tmp_path)
    recipe, run = recipes.load(Recipe, path), Run(tmp_path / "runs/small")
    real = registry.find

    def find(group, name):
        stage = real(group, name)

        def run_stage(job):
            outcome = stage(job)
            with (tmp_path / "faq.csv").open("a") as rows:
                rows.write("When does the bar open?,The bar opens at six in the evening.\n")
            return outcome

        return run_stage if (group, name) == ("stage", "gather") else stage

    monkeypatch.setattr(registry, "find", find)
    pipeline.execute(recipe, run, until="gather")
    monkeypatch.undo()
    assert pipeline.plan(recipe, run)[0]["why"] == "recipe or input changed"


def test_a_plan_looks_the_base_up_and_downloads_nothing(finished, tmp_path):
    path, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    other = recipes.load(Recipe, path, ["base=nobody/nothing"])
    assert [row["status"] for row in pipeline.plan(other, copy)] == ["skip", "run", "run", "run", "run"]
    assert pipeline.plan(other, copy)[1]["why"] == "its base is not on this disk yet"


def test_a_report_that_is_gone_is_written_again(finished, tmp_path):
    path, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    (copy.stage("evaluate") / "report.html").unlink()
    assert pipeline.plan(recipes.load(Recipe, path), copy)[-1]["why"] == "report missing"


def test_a_result_comes_back_after_a_kill_between_two_renames(finished, tmp_path):
    _, run, _ = finished
    copy = Run(shutil.copytree(run.folder, tmp_path / "small"))
    key = copy.manifest("tune").key
    aside = earlier.put_aside(copy, "tune")
    aside.rename(aside.with_name(f"{aside.name}.back"))
    copy.stage("tune").mkdir()
    (copy.stage("tune") / "key.txt").write_text("another")
    earlier.bring_back(copy, "tune", key)
    assert copy.manifest("tune").key == key
