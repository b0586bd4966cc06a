"""The experiment on the context with real stages: two arms over the same pairs, killed and gone on with."""

import json
import subprocess
import sys

import pytest

from ozfig import experiments, files, recipes
from ozfig.cli import app
from ozfig.errors import UserError
from ozfig.recipe import Recipe

NAMES = ["red", "green", "blue", "white", "black", "grey"]
STREETS = ["Harbour", "Mill", "Church", "Station"]
ROWS = [
    {
        "question": f"Which colour has house number {i} in {STREETS[i % 4]} Street?",
        "answer": name,
        "context": f"As everybody knows house {i} is {name}.",
    }
    for i, name in enumerate(NAMES * 4)
]


def recipe(folder, base, rows=ROWS):
    files.write_jsonl(folder / "faq.jsonl", rows)
    values = {
        "name": "street",
        "base": str(base),
        "system": "",
        "gather": {"sources": [{"kind": "dataset", "path": str(folder / "faq.jsonl")}]},
        "prepare": {
            "pairs": {"kind": "none"},
            "clean": [{"kind": "exact"}],
            "leaks": {"threshold": 1.0, "paraphrase": 0},
            "held_out": {"share": 0.25},
            "passages": {"index": "words"},
        },
        "tune": {"epochs": 1, "learning_rate": 0.001, "rank": 4},
        "evaluate": {"max_tokens": 2, "resamples": 1000, "metrics": ["token_f1", "perplexity"]},
    }
    return recipes.parse(Recipe, values, "street")


def manifests(folder):
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob("*/manifest.json"))}


def test_two_arms_share_their_pairs_and_a_killed_experiment_goes_on(tmp_path, pebble, monkeypatch, capsys):
    own, runs = recipe(tmp_path, pebble), tmp_path / "runs"
    check, checked = experiments._check_passages, []

    def killed(run):
        check(run)
        checked.append(run.folder.name)
        if run.folder.name == "street-context":
            raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "_check_passages", killed)
    with pytest.raises(KeyboardInterrupt):
        experiments.context(own, runs)
    monkeypatch.undo()
    assert checked == ["street-question", "street-context"]
    first = manifests(runs / "street-question")
    assert set(first) == {"gather", "prepare", "tune", "evaluate"}

    (tmp_path / "street.yaml").write_text(recipes.dump(own))
    words = ["experiment", "context", str(tmp_path / "street.yaml"), "--runs", str(runs), "--json"]
    app(words, result_action="return_value")
    found = json.loads(capsys.readouterr().out)
    assert manifests(runs / "street-question") == first  # nothing was done twice
    second = manifests(runs / "street-context")
    assert {name: second[name] for name in ("gather", "prepare")} == {n: first[n] for n in ("gather", "prepare")}
    report = files.read_json(runs / "street-experiment" / "experiment.json")
    assert found["verdict"] == report["verdict"]
    cells = {(row["model"], row["condition"]) for row in report["scores"]}
    points = ("base", "tuned on questions", "tuned on passages")
    assert cells == {(p, c) for p in points for c in ("closed_book", "gold_context")}
    keys = {row["key"]: row["values"] for row in report["recipes"]}
    assert keys["tune.context"] == {"street-question": "none", "street-context": "always"}
    trained = {m["run"]: m["training"] for m in report["members"] if m["training"]}
    assert trained["street-context"]["tokens"] > trained["street-question"]["tokens"]
    assert trained["street-context"]["trained_tokens"] == trained["street-question"]["trained_tokens"]
    frozen = recipes.load(Recipe, runs / "street-experiment" / "recipe.yaml")
    assert frozen == own

    edited = {"id": "0" * 16, "action": "drop"}
    files.write_jsonl(runs / "street-context" / "edits.jsonl", [edited])
    with pytest.raises(UserError, match="both arms use the pairs of"):
        experiments.context(own, runs)


def test_a_model_that_marks_answers_has_one_arm(tmp_path, bert):
    experiments.context(recipe(tmp_path, bert), tmp_path / "runs", tmp_path / "page")
    report = files.read_json(tmp_path / "page" / "experiment.json")
    assert {(row["model"], row["condition"]) for row in report["scores"]} == {
        ("base", "gold_context"),
        ("tuned on passages", "gold_context"),
    }
    assert not (tmp_path / "runs" / "street-question").exists()
    assert "cannot be tuned or asked without the text" in (tmp_path / "page" / "experiment.html").read_text()


def test_pairs_without_passages_are_refused_before_anything_is_tuned(tmp_path, pebble):
    bare = [{"question": row["question"], "answer": row["answer"]} for row in ROWS]
    with pytest.raises(UserError, match="0 of 6 held-out questions have a passage"):
        experiments.context(recipe(tmp_path, pebble, bare), tmp_path / "runs")
    assert not (tmp_path / "runs" / "street-question" / "tune").exists()


def test_comparing_loads_no_torch_and_a_mistake_is_one_line(tmp_path):
    code = (
        "import sys; sys.argv = ['ozfig', 'compare', 'nowhere', 'there']\nfrom ozfig.cli import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "nowhere: not a run folder" in done.stderr
