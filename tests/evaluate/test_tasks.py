"""Benchmarks: the same requests, answers and figures as lm-evaluation-harness's own, and what can go wrong."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ozfig import files, recipes
from ozfig.engines.resolve import resolve
from ozfig.engines.transformers import load as open_engine
from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.evaluate import stage
from ozfig.evaluate.tasks import local, names
from ozfig.export import gguf
from ozfig.recipe import Benchmark, Evaluate, Recipe
from ozfig.types import Example, ModelRef

pytest.importorskip("lm_eval", reason="the extra tasks is not installed")
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM

from ozfig.evaluate.results import Plan
from ozfig.evaluate.tasks import load, measure
from ozfig.evaluate.tasks.model import Answerer

LOCAL = {
    "sciq": ("sciq/sciq_test_first50.jsonl", 9),
    "logiqa": ("logiqa/Eval.txt", 4),
    "mc_taco": ("mc_taco/dev_3783.tsv", 18),
    "arithmetic_2da": ("arithmetic", 24),
    "mmlu_anatomy": ("mmlu_val/zero_shot_mmlu_val.jsonl", 6),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def engine():
    return open_engine(resolve("pebble"))


@pytest.fixture(scope="module")
def theirs(engine):
    """lm-eval's own backend over the very same weights."""
    return HFLM(pretrained=engine.model, tokenizer=engine.tokenizer, backend="causal", batch_size=8, device="cpu")


@pytest.fixture(scope="module")
def folder(data):
    return data / "benchmarks"


@pytest.fixture
def science(tmp_path):
    """A file of SciQ's form."""
    subjects = ["salt", "iron", "wood", "glass", "wool", "clay", "sand", "gold"]
    rows = [
        {
            "question": f"What was barrel {i} made of?",
            "distractor1": "paper",
            "distractor2": "stone",
            "distractor3": "ice",
            "correct_answer": subject,
            "support": f"Barrel {i} stood on the quay and was made of {subject}. The others were empty.",
        }
        for i, subject in enumerate(subjects)
    ]
    path = tmp_path / "science.jsonl"
    files.write_jsonl(path, rows)
    return path


def answers(engine, loaded):
    answerer = Answerer(engine, 8, 7, lambda answered: None)
    return getattr(answerer, loaded.requests[0].request_type)(loaded.requests, disable_tqdm=True)


@pytest.mark.parametrize("name", LOCAL)
def test_equal_to_lm_eval(engine, theirs, folder, name, tmp_path):
    path, limit = LOCAL[name]
    benchmark = Benchmark(name=name, file=str(folder / path), limit=limit)
    (loaded,), (again,) = load.load([benchmark]), load.load([benchmark])
    ours = answers(engine, loaded)
    with load.hushed():
        found = evaluate(theirs, {"tasks": {name: again.task}}, limit=limit, bootstrap_iters=0)
    samples = sorted(found["samples"][name], key=lambda sample: sample["doc_id"])
    other = [answer for sample in samples for answer in sample["filtered_resps"]]
    assert len(ours) == len(other) == len(loaded.requests)
    assert max(abs(a[0] - b[0]) for a, b in zip(ours, other, strict=True)) < 1e-4
    assert [a[1] for a in ours] == [b[1] for b in other]
    part = measure.Part("base", loaded, tmp_path / "part.jsonl")
    rows = measure._ask(loaded, Answerer(engine, 8, 7, lambda answered: None))
    files.write_jsonl(part.path, ({"answers": row} for row in rows))
    scored, values = measure._scored(part)
    assert [row["scores"]["acc"] for row in scored] == [sample["acc"] for sample in samples]
    table = measure.Table(Plan(1000, 7))
    table.add("base", loaded, values)
    for score in table.scores():
        assert score.mean == pytest.approx(found["results"][name][f"{score.metric},none"], abs=1e-6)


def test_replies_are_those_of_lm_eval(engine, theirs, folder):
    path = str(folder / "codexglue_code_to_text/by_language/go.20.jsonl")
    (loaded,) = load.load([Benchmark(name="code2text_go", file=path, limit=2)])
    for request in loaded.requests:
        request.arguments = (request.args[0][:300], {**request.args[1], "max_gen_toks": 12, "num_beams": 2})
    with load.hushed():
        expected = theirs.generate_until(loaded.requests, disable_tqdm=True)
    assert answers(engine, loaded) == expected


def test_solved_examples_and_stop_strings(engine, theirs, folder):
    given = {"file": str(folder / "gsm8k/test.jsonl"), "fewshot_file": str(folder / "gsm8k/train.jsonl")}
    (loaded,) = load.load([Benchmark(name="gsm8k", num_fewshot=2, limit=3, **given)])
    assert loaded.condition == "2-shot"
    assert loaded.requests[0].args[0].count("Question:") == 3
    for request in loaded.requests:
        request.args[1]["max_gen_toks"] = 12
    with load.hushed():
        expected = theirs.generate_until(loaded.requests, disable_tqdm=True)
    assert answers(engine, loaded) == expected


def test_whole_texts_in_windows(engine, theirs):
    from lm_eval.api.instance import Instance

    texts = ["The harbour opens at six. " * 150, "A short line."]
    requests = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in texts]
    ours = Answerer(engine, 8, 7, lambda answered: None).loglikelihood_rolling(requests)
    with load.hushed():
        expected = theirs.loglikelihood_rolling(requests, disable_tqdm=True)
    assert ours == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_blanks_between_context_and_continuation_go_to_the_continuation(engine, theirs):
    from lm_eval.api.instance import Instance

    pairs = [("The tide is ", "high"), ("", "A boat"), ("<s>Once", " more"), ("one\n\n", "two")]
    requests = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]
    ours = Answerer(engine, 8, 7, lambda answered: None).loglikelihood(requests, disable_tqdm=True)
    expected = theirs.loglikelihood(requests, disable_tqdm=True)
    assert [a[0] for a in ours] == pytest.approx([b[0] for b in expected], abs=1e-4)


@pytest.fixture
def points(job, tmp_path, science):
    """A job with the embedded model, another with its weights changed, and that one's quantised file."""
    base = resolve("pebble")
    engine = open_engine(base)
    with torch.no_grad():
        for name, weight in engine.model.named_parameters():
            if "mlp" in name:
                weight.mul_(0.9)
    engine.model.save_pretrained(tmp_path / "tuned")
    engine.tokenizer.save_pretrained(tmp_path / "tuned")
    full, small = tmp_path / "tuned.F16.gguf", tmp_path / "tuned.Q4_K_M.gguf"
    gguf.convert(tmp_path / "tuned", tmp_path / "weights.gguf", "tuned")
    gguf.quantised(tmp_path / "weights.gguf", {"F16": full, "Q4_K_M": small})
    tuned = ModelRef("transformers", str(tmp_path / "tuned"), "tuned", sha256="t")
    quantised = ModelRef("gguf", str(small), "quantised", base=str(tmp_path / "tuned"), sha256="q")
    section = Evaluate(
        conditions=["closed_book"],
        metrics=["token_f1"],
        limit=2,
        max_tokens=2,
        resamples=1000,
        tasks=[{"name": "sciq", "file": str(science)}, {"name": "arithmetic_2da", "file": str(tmp_path / "sums")}],
    )
    files.write_jsonl(
        tmp_path / "sums" / "arithmetic_2da.jsonl",
        [{"context": f"\n\nQ: What is {i} plus {i}?\n\nA:", "completion": f" {2 * i}"} for i in range(10, 16)],
    )
    leaked = Example.pair("Tell me of the third one.", "Barrel 3 stood on the quay and was made of glass.")
    files.write_jsonl(job.inputs["train"], [leaked.to_row()])
    (job.folder).mkdir(parents=True, exist_ok=True)
    models = {"base": replace(base, name="base"), "tuned": tuned, "quantised": quantised}
    return replace(job, section=section, models=models)


def test_the_stage_measures_what_ships_and_goes_on_after_a_kill(points):
    opened = []

    def noted(ref):
        opened.append(ref.kind)
        return open_engine(ref)

    outcome = stage.run(points, noted)
    assert "task_samples.jsonl" in outcome.outputs
    report = files.read_json(points.folder / "report.json")
    assert report["versions"]["lm_eval"]
    assert report["tasks"][0] == {"task": "sciq", "condition": "0-shot"}
    rows = list(files.read_jsonl(points.folder / "task_samples.jsonl"))
    assert len(rows) == 3 * (8 + 6)
    first = rows[0]
    assert first["choices"][3] == " salt"
    assert len(first["loglikelihoods"]) == 4
    assert first["prompt"].endswith("Answer:")
    by_hand = [max(range(4), key=row["loglikelihoods"].__getitem__) == 3 for row in rows[:8]]
    score = next(s for s in report["scores"] if (s["model"], s["task"], s["metric"]) == ("base", "sciq", "acc"))
    assert (score["n"], score["mean"], score["version"]) == (8, sum(by_hand) / 8, 1.0)
    likely = {row["model"]: row["loglikelihoods"] for row in rows if (row["task"], row["item"]) == ("sciq", 0)}
    assert likely["base"] != likely["tuned"] != likely["quantised"]
    assert likely["tuned"] == pytest.approx(likely["quantised"], rel=0.2)
    steps = {(c["a"], c["b"]) for c in report["comparisons"] if c["task"] == "sciq"}
    assert steps == {("base", "tuned"), ("tuned", "quantised"), ("base", "quantised")}
    overlap = {row["set"]: (row["items"], row["pairs"]) for row in report["overlap"]}
    assert overlap == {"held-out questions": (2, 0), "sciq": (8, 1), "arithmetic_2da": (6, 0)}
    assert report["overlap"][1]["examples"][0]["item"].startswith("Barrel 3 stood on the quay")
    page, text = ((points.folder / name).read_text() for name in ("report.html", "report.md"))
    assert "| sciq | acc_norm | 0-shot | 8 |" in text
    assert "Was anything lost?" in page
    assert "guessing 0.25" in page
    assert page.count('data-task="sciq"') == 8
    assert 'class="pill">arithmetic_2da</span>' in page

    before = (points.folder / "report.json").read_bytes()
    gone = next((points.cache / "parts").glob("tuned.sciq.*"))
    gone.unlink()
    opened.clear()
    stage.run(points, noted)
    assert opened == ["transformers"]
    assert gone.exists()
    assert (points.folder / "report.json").read_bytes() == before


def test_a_group_is_its_tasks_items_together(engine, folder):
    loaded = load.load([Benchmark(name="arithmetic", file=str(folder / "arithmetic"), limit=2)])
    assert len(loaded) == 10
    assert {task.asked for task in loaded} == {"arithmetic"}
    table = measure.Table(Plan(1000, 7))
    for number, task in enumerate(loaded):
        table.add("base", task, {"acc": (None, [number % 2, 0])})
    scores = {score.task: score for score in table.scores()}
    assert (scores["arithmetic"].n, scores["arithmetic"].mean) == (20, 0.25)
    assert scores["arithmetic_2ds"].n == 2


def test_a_figure_of_all_items_has_a_resampled_error():
    from sklearn.metrics import f1_score

    pairs = [(i % 2, int(i % 3 == 0)) for i in range(60)]
    table = measure.Table(Plan(1000, 7))
    task = measure.Loaded("mc_taco", "mc_taco", "0-shot", 1.0, None, [])
    for point in ("base", "tuned"):
        table.add(point, task, {"f1": (lambda items: f1_score(*zip(*items, strict=True)), list(pairs))})
    score = table.scores()[0]
    assert score.mean == pytest.approx(f1_score(*zip(*pairs, strict=True)), abs=1e-6)
    assert 0.02 < score.stderr < 0.2
    assert table.comparisons() == []


def test_what_cannot_run_is_one_clear_line(tmp_path, science, monkeypatch):
    with pytest.raises(UserError, match=r"sciqq: .* did you mean sciq"):
        names.find("sciqq")
    with pytest.raises(UserError, match="no such file"):
        load.load([Benchmark(name="sciq", file=str(tmp_path / "absent.jsonl"))])
    other = tmp_path / "other.jsonl"
    files.write_jsonl(other, [{"question": "Why?", "answer": "Because."}] * 3)
    with pytest.raises(UserError, match=r"other\.jsonl: its rows lack .* sciq reads: 'support' is undefined"):
        load.load([Benchmark(name="sciq", file=str(other))])
    with pytest.raises(UserError, match="asked for 2 times"):
        load.load([Benchmark(name="sciq", file=str(science))] * 2)
    with pytest.raises(UserError, match="code of its own"):
        load.load([Benchmark(name="squad_completion", file=str(science))])
    monkeypatch.setitem(sys.modules, "evaluate", None)
    with pytest.raises(UserError, match="package that is not installed: evaluate"):
        load.load([Benchmark(name="humaneval", file=str(science))])


def test_a_data_set_out_of_reach_names_the_way_around(monkeypatch):
    import datasets

    for error, expected in (
        (ConnectionError("Couldn't reach 'allenai/sciq'"), OutsideError),
        (datasets.exceptions.DatasetNotFoundError("Dataset 'allenai/sciq' doesn't exist"), UserError),
        (RuntimeError("Dataset scripts are no longer supported, but found sciq.py"), UserError),
    ):

        def refuse(*_, error=error, **__):
            raise error

        monkeypatch.setattr(datasets, "load_dataset", refuse)
        with pytest.raises(expected, match=r"give its items in a file: \{name: sciq, file: \.\.\.\}"):
            load.load([Benchmark(name="sciq")])


def test_local_forms(tmp_path):
    block = "\na\nA fact.Another.\nWhat follows?\nA.one\nB.two.\nC.three\nD.four\n"
    (tmp_path / "Test.txt").write_text(block * 2)
    rows = local.items(tmp_path / "Test.txt", "logiqa", {})
    assert rows[1] == {
        "label": "a",
        "context": "A fact. Another.",
        "question": "What follows?",
        "options": ["one", "two.", "three", "four"],
    }
    (tmp_path / "broken.txt").write_text(block + "b\n")
    with pytest.raises(UserError, match="8 lines"):
        local.items(tmp_path / "broken.txt", "logiqa", {})
    with (tmp_path / "test.tsv").open("w", newline="") as out:
        csv.writer(out, "excel-tab").writerows([["It rained.", "How long?", "an hour", "yes", "Event Duration"]] * 2)
    assert local.items(tmp_path / "test.tsv", "mc_taco", {})[0]["label"] == 1
    prompt = "Questions about maths.\n\nWhat is\n2 + 2?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:"
    asked = [{"subject": s, "input": prompt, "output": "B"} for s in ("maths", "maths", "law")]
    (tmp_path / "mmlu.jsonl").write_text("\n".join(map(json.dumps, asked)))
    rows = local.items(tmp_path / "mmlu.jsonl", "mmlu_maths", {"dataset_name": "maths"})
    assert [(r["question"], r["choices"][r["answer"]]) for r in rows] == [("What is\n2 + 2?", "4")] * 2
    with pytest.raises(UserError, match="0 items"):
        local.items(tmp_path / "mmlu.jsonl", "mmlu_art", {"dataset_name": "art"})


def test_without_the_extra(monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ozfig\[tasks\]"):
        names.check([Benchmark(name="sciq")])


def test_a_recipe_may_name_tasks_alone(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(
        "gather: {sources: [{kind: documents, path: .}]}\nevaluate: {tasks: [sciq, {name: mc_taco, file: x.tsv}]}\n"
    )
    found = recipes.load(Recipe, path).evaluate.tasks
    assert found[0] == Benchmark(name="sciq")
    assert Path(found[1].file) == tmp_path / "x.tsv"
    assert recipes.paths_in(Evaluate(tasks=[{"name": "sciq", "file": "a.jsonl"}])) == [Path("a.jsonl")]
