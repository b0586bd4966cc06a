"""Several runs on one page: the verdict follows from the shared questions, and only like is compared with like."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.evaluate import stage
from ozfig.evaluate.figures import Figures
from ozfig.evaluate.joined import context
from ozfig.evaluate.joined.recipes import differences
from ozfig.evaluate.joined.versus import compare
from ozfig.recipe import Evaluate, Recipe, Tune
from ozfig.runs import Run
from ozfig.types import Manifest

SOURCE = {"sources": [{"kind": "dataset", "path": "faq.csv"}]}
WORSE, BETTER = (0.2, 0.5), (0.7, 0.9)


@pytest.fixture(scope="module")
def built():
    """Runs that an earlier test made, by what was asked for."""
    return {}


@pytest.fixture
def measured(with_knowledge, tmp_path, tmp_path_factory, built):
    """Make a measured run: for each point the share of questions it knows without and with a passage."""

    def make(name, rank=16, **shares):
        key = repr((name, rank, shares))
        if key not in built:
            built[key] = _evaluated(name, rank, with_knowledge(**shares)[:2], tmp_path_factory.mktemp("runs") / name)
        return shutil.copytree(built[key], tmp_path / "runs" / name)

    return make


def _evaluated(name, rank, asked, folder):
    job, open_engine = asked
    run = Run(folder)
    conditions = ["closed_book", "gold_context"]
    section = Evaluate(metrics=["token_f1", "perplexity"], conditions=conditions, resamples=1000)
    job = replace(job, name=name, section=section, folder=run.stage("evaluate"), cache=folder / "cache")
    job.folder.mkdir(parents=True)
    run.stage("prepare").mkdir()
    shutil.copy(job.inputs["held_out"], run.stage("prepare"))
    run.freeze(Recipe(name=name, gather=SOURCE, tune=Tune(rank=rank)))
    stage.run(job, open_engine)
    run.write_manifest(Manifest("evaluate", "k", "k", {}, {}, {}, {}, 1.0, 1.0))
    return folder


@pytest.fixture
def two(measured):
    """Two runs from one base, the second of which knows more."""
    return [measured("a", base=(0.1, 0.3), tuned=WORSE), measured("b", rank=8, base=(0.1, 0.3), tuned=BETTER)]


def figures_of(folder, name="compare"):
    return files.read_json(folder / f"{name}.json")


def scores(folder, point, condition):
    rows = files.read_jsonl(folder / "evaluate" / "samples.jsonl")
    return {r["item"]: r["scores"]["token_f1"] for r in rows if (r["model"], r["condition"]) == (point, condition)}


def edit_samples(folder, keep=lambda row: True, change=lambda row: row):
    path = folder / "evaluate" / "samples.jsonl"
    files.write_jsonl(path, [change(row) for row in list(files.read_jsonl(path)) if keep(row)])


def edit_report(folder, change):
    path = folder / "evaluate" / "report.json"
    report = files.read_json(path)
    change(report)
    files.write_json(path, report)


class Fetches(HTMLParser):
    """Everything that a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset")]


def test_the_better_run_is_named_and_the_difference_is_that_of_the_samples(two):
    found = compare(two)
    report = figures_of(two[0].parent / "compare-a-b")
    assert found["verdict"] == report["verdict"] == "b answers better."
    before, after = (scores(folder, "tuned", "closed_book") for folder in two)
    change = Figures(report).compare("a", "b", "closed_book", "token_f1")
    assert change.difference == pytest.approx(sum(after.values()) / 24 - sum(before.values()) / 24, abs=1e-5)
    assert (change.n, change.low > 0) == (24, True)


def test_models_with_one_base_share_it_and_others_do_not(two):
    compare(two)
    points = lambda: [m["name"] for m in figures_of(two[0].parent / "compare-a-b")["members"]]  # noqa: E731
    assert points() == ["base", "a", "b"]
    edit_report(two[1], lambda report: report["versions"]["models"].update(base="another"))
    compare(two)
    assert points() == ["a base", "b base", "a", "b"]


def test_exported_files_are_compared_where_both_were_measured(measured):
    runs = [measured(name, tuned=BETTER, quantised=known) for name, known in (("a", BETTER), ("b", WORSE))]
    compare(runs)
    found = Figures(figures_of(runs[0].parent / "compare-a-b"))
    assert found.compare("a quantised", "b quantised", "closed_book", "token_f1").high < 0
    assert found.compare("a", "b", "closed_book", "token_f1").difference == 0


def test_equal_runs_are_level(measured):
    runs = [measured(name, base=(0.1, 0.3), tuned=WORSE) for name in ("a", "b")]
    assert compare(runs)["verdict"] == "a and b are level."
    text = (runs[0].parent / "compare-a-b" / "versus.md").read_text()
    assert "the same on every question" in text
    assert "The recipes differ in nothing but their names." in text


def test_a_verdict_that_depends_on_the_text_says_so(measured):
    runs = [measured("a", tuned=(0.1, 0.9)), measured("b", tuned=(0.8, 0.1))]
    assert compare(runs)["verdict"] == "b answers better closed book; with the right passage it is a."


def test_three_runs_have_a_best_one_only_beyond_noise(measured):
    runs = [measured("a", tuned=WORSE), measured("b", tuned=BETTER), measured("c", tuned=(0.0, 0.2))]
    assert compare(runs)["verdict"] == "b answers best of 3 runs."
    runs[2] = measured("d", tuned=BETTER)
    assert compare(runs)["verdict"] == "None of 3 runs is clearly the best."


def test_the_page_fetches_nothing_and_escapes_what_models_say(two, tmp_path):
    compare(two, tmp_path / "out")
    page = (tmp_path / "out" / "versus.html").read_text()
    fetches = Fetches()
    fetches.feed(page)
    assert fetches.found == []
    assert not re.search(r"url\(|@import", page)
    assert "&lt;b&gt;boat&lt;/b&gt;" in re.sub(r"</?mark>", "", page)
    assert "<td>16</td><td>8</td>" in page
    assert "object at 0x" not in page


def test_the_plot_draws_every_cell_to_scale(two, tmp_path):
    compare(two, tmp_path)
    drawn = ElementTree.fromstring((tmp_path / "versus.svg").read_text())
    rects = list(drawn.iter("{http://www.w3.org/2000/svg}rect"))
    columns = [float(rect.get("height")) for rect in rects if float(rect.get("y", 0)) > 50]
    found = Figures(figures_of(tmp_path))
    means = [found.score(p, c, "token_f1").mean for c in found.conditions for p in ("base", "a", "b")]
    assert len(columns) == 6
    assert [h / columns[-1] for h in columns] == pytest.approx([m / means[-1] for m in means], abs=0.005)


def test_the_same_runs_give_the_same_bytes(two, tmp_path):
    for name in ("x", "y"):
        compare(two, tmp_path / name)
    assert (tmp_path / "x" / "compare.json").read_bytes() == (tmp_path / "y" / "compare.json").read_bytes()


def test_only_questions_that_all_were_asked_count(two):
    dropped = sorted(scores(two[1], "tuned", "closed_book"))[:4]
    edit_samples(two[1], keep=lambda row: row["item"] not in dropped)
    compare(two)
    report = figures_of(two[0].parent / "compare-a-b")
    assert {row["n"] for row in report["scores"] if row["condition"] == "closed_book"} == {20}
    assert "20 questions were asked of all; 4 of some only are left out." in report["notes"]


def other_length(report):
    report["settings"]["max_tokens"] = 7


def other_rules(report):
    report["scores"] = [{**row, "version": 99} for row in report["scores"]]


@pytest.mark.parametrize(
    ("change", "words"), [(other_length, "evaluate.max_tokens is 7"), (other_rules, "scored by different rules")]
)
def test_what_was_not_measured_alike_is_refused(two, change, words):
    edit_report(two[1], change)
    with pytest.raises(UserError, match=words):
        compare(two)


def test_runs_without_common_questions_are_refused(two):
    edit_samples(two[1], change=lambda row: {**row, "item": f"other {row['item']}"})
    with pytest.raises(UserError, match="too few held-out questions"):
        compare(two)


def test_a_run_twice_or_unmeasured_is_refused(two, tmp_path):
    with pytest.raises(UserError, match="given twice"):
        compare([two[0], two[0]])
    with pytest.raises(UserError, match="not a run folder"):
        compare([two[0], tmp_path])
    (two[1] / "evaluate" / "manifest.json").unlink()
    with pytest.raises(UserError, match="nothing measured yet"):
        compare(two)


def benchmark(folder, values, prompt="p"):
    """Give a run two benchmarks of its own, the second with nothing right, and the group that both are in."""
    means = {"sciq": sum(values) / len(values), "hard": 0.0, "group": sum(values) / len(values) / 2}

    def change(report):
        report["tasks"] = [{"task": "sciq", "condition": "0-shot"}]
        report["tasks"].append({"task": "group", "condition": "0-shot", "parts": ["sciq", "hard"]})
        row = {"model": "tuned", "version": 1, "condition": "0-shot", "metric": "acc", "n": len(values), "stderr": 0.1}
        report["scores"] += [{**row, "task": name, "mean": mean} for name, mean in means.items()]

    edit_report(folder, change)
    row = {"model": "tuned", "task": "sciq", "condition": "0-shot", "prompt": prompt, "target": "x"}
    rows = [{**row, "item": i, "scores": {"acc": value}} for i, value in enumerate(values)]
    rows += [{**row, "task": "hard", "item": i, "scores": {"acc": 0.0}} for i in range(len(values))]
    files.write_jsonl(folder / "evaluate" / "task_samples.jsonl", rows)


def test_benchmarks_stand_side_by_side_and_are_paired_by_item(two):
    benchmark(two[0], [0.0] * 9 + [1.0])
    benchmark(two[1], [1.0] * 10)
    compare(two)
    folder = two[0].parent / "compare-a-b"
    found = Figures(figures_of(folder), "sciq")
    assert [found.score(name, "0-shot", "acc").mean for name in ("a", "b")] == [0.1, 1.0]
    change = found.compare("a", "b", "0-shot", "acc")
    assert (change.n, change.difference) == (10, 0.9)
    assert change.p == pytest.approx(2 / 2**9, abs=1e-6)  # McNemar: nine changed, all one way
    group = Figures(figures_of(folder), "group")
    assert group.score("b", "0-shot", "acc").mean == 0.5
    over_both = group.compare("a", "b", "0-shot", "acc")
    assert (over_both.n, over_both.difference) == (20, 0.45)
    assert "sciq, acc" in (folder / "versus.html").read_text()


def test_other_benchmark_items_are_no_pairs(two):
    benchmark(two[0], [0.0] * 10)
    benchmark(two[1], [1.0] * 10, prompt="another question")
    compare(two)
    assert Figures(figures_of(two[0].parent / "compare-a-b"), "sciq").compare("a", "b", "0-shot", "acc") is None


def test_recipes_differ_by_key(tmp_path):
    recipes = {
        "a": Recipe(name="a", gather=SOURCE, tune=Tune(rank=4)),
        "b": Recipe(name="b", gather={"sources": [*SOURCE["sources"], {"kind": "website", "url": "http://x/"}]}),
    }
    for name, recipe in recipes.items():
        Run(tmp_path / name).freeze(recipe)
    found = {row["key"]: row["values"] for row in differences({name: tmp_path / name for name in recipes})}
    assert found["tune.rank"] == {"a": 4, "b": 16}
    assert found["gather.sources.1.kind"] == {"a": None, "b": "website"}
    assert not {"name", "seed", "gather.sources.0.kind"} & set(found)


def made(closed, gold, loss=None):
    """A report of the experiment with the given (low, high) of arm against arm."""
    rows = []
    for metric, values in (("token_f1", (closed, gold)), ("answer_loss", loss or ((-1, 1), (-1, 1)))):
        for condition, (low, high) in zip(("closed_book", "gold_context"), values, strict=True):
            row = {"task": "held_out", "condition": condition, "metric": metric, "n": 9, "p": 0.01}
            figures = {"difference": (low + high) / 2, "low": low, "high": high}
            rows.append({**row, "a": "tuned on questions", "b": "tuned on passages", **figures})
    score = {"task": "held_out", "version": 1, "n": 9, "mean": 0.4, "stderr": 0.1, "model": "tuned on questions"}
    scores = [{**score, "condition": c, "metric": "token_f1"} for c in ("closed_book", "gold_context")]
    return Figures({"scores": scores, "comparisons": rows})


UP, DOWN, NOISE = (0.1, 0.3), (-0.3, -0.1), (-0.1, 0.1)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (made(UP, UP), "Tune with the passage: it wins with and without it."),
        (made(DOWN, DOWN), "Tune without the passage: it wins with and without it."),
        (made(DOWN, UP), "Tune as it will be asked: each wins where it was tuned."),
        (made(NOISE, DOWN), "Tune without the passage: better even where it is shown, level closed book."),
        (made(NOISE, NOISE), "Tuned with the passage or without it: no measurable difference."),
        (
            made(NOISE, NOISE, loss=(UP, DOWN)),
            "The replies do not differ; the right answers are likelier where a model was tuned.",
        ),
    ],
)
def test_the_conclusion_of_the_experiment_follows_from_the_intervals(report, words):
    assert context.headline(report) == words


def test_every_pair_of_outcomes_has_words():
    pairs = {(a, b) for a in ("better", "worse", "noise") for b in ("better", "worse", "noise")}
    assert set(context.HEADLINES) == set(context.LIKELIHOODS) == pairs


def test_the_experiment_has_a_table_of_arms_by_condition(measured, tmp_path):
    runs = {
        "question": measured("x-question", base=(0.0, 0.2), tuned=(0.8, 0.2)),
        "context": measured("x-context", base=(0.0, 0.2), tuned=(0.2, 0.9)),
    }
    found = context.write_context(runs, tmp_path / "out", "x", "the command")
    assert found["verdict"] == "Tune as it will be asked: each wins where it was tuned."
    report = Figures(figures_of(tmp_path / "out", "experiment"))
    assert report.compare("tuned on questions", "tuned on passages", "closed_book", "token_f1").high < 0
    text = (tmp_path / "out" / "experiment.md").read_text()
    assert re.search(r"\| tuned on passages \| 0\.\d+ ± 0\.\d+ \| 0\.\d+ ± 0\.\d+ \|", text)
    assert "the command" in text


def test_a_model_that_cannot_be_asked_without_the_text_has_empty_cells(measured, tmp_path):
    run = measured("x-context", base=(0.0, 0.1), tuned=(0.2, 0.9))
    edit_samples(run, keep=lambda row: row["condition"] == "gold_context")
    found = context.write_context({"context": run}, tmp_path / "out", "x", "the command")
    assert found["verdict"] == "Tuned with the passage it answers better; without one it cannot be asked."
    text = (tmp_path / "out" / "experiment.md").read_text()
    untuned, unasked = "– (cannot be tuned or asked without the text)", "– (cannot be asked without the text)"
    assert f"| tuned on questions | {untuned} | {untuned} |" in text
    assert f"| tuned on passages | {unasked} | 0." in text
