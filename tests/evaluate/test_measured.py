"""What the page says of benchmarks, running text, exported files, the training curve and overlap."""

import re
from dataclasses import replace

import pytest

from ozfig import files
from ozfig.evaluate import benchmarks_panel, evidence, learning, overlap, report, running_text, stage, task_answers
from ozfig.evaluate.evidence import Evidence
from ozfig.evaluate.panels import Story
from ozfig.evaluate.perplexity import Window
from ozfig.recipe import Recipe, RunningText
from ozfig.types import Dropped, Example, Manifest, Sample

MINIMAL = {"name": "x", "base": "pebble", "gather": {"sources": [{"kind": "documents", "path": "handbook"}]}}
NAMES = {"base": "base", "tuned": "tuned", "quantised": "Q4_K_M", "Q8_0": "Q8_0"}


def score(model, task, metric, mean, **other):
    row = {"version": 1.0, "condition": "0-shot", "n": 40, "stderr": 0.05, "clusters": None}
    return {"model": model, "task": task, "metric": metric, "mean": mean, **row, **other}


def change(a, b, task, metric, values, p, **other):
    row = dict(zip(("difference", "low", "high"), values, strict=True))
    rest = {"condition": "0-shot", "n": 40, "p": p, "p_adjusted": min(1.0, 4 * p), "test": "mcnemar"}
    return {"a": a, "b": b, "task": task, "metric": metric, **row, **rest, **other}


def made(**tuning):
    """A report.json with benchmarks whose tuned - base is given as ((difference, low, high), p)."""
    scores, comparisons = [], []
    for task, (values, p) in tuning.items():
        for model in NAMES:
            scores += [score(model, task, "acc_norm", 0.3), score(model, task, "acc", 0.4)]
        comparisons.append(change("base", "tuned", task, "acc", values, p))
        comparisons += [change("tuned", b, task, "acc", (0, -0.05, 0.05), 0.9) for b in ("quantised", "Q8_0")]
    tasks = [{"task": task, "condition": "0-shot"} for task in tuning]
    return {"tasks": tasks, "scores": scores, "comparisons": comparisons, "settings": {}, "versions": {"lm_eval": "1"}}


LOSS, NOISE, GAIN = ((-0.3, -0.45, -0.15), 0.001), ((-0.05, -0.2, 0.1), 0.4), ((0.3, 0.15, 0.45), 0.001)
WEAK = ((-0.15, -0.29, -0.01), 0.04)  # beyond noise alone, not among four


def test_forgetting_is_named_where_a_task_got_worse_beyond_noise():
    text = " ".join(benchmarks_panel.forgetting(made(sciq=LOSS, logiqa=NOISE)))
    assert text.startswith("**Tuning made the model forget**: worse beyond noise on 1 of 2 benchmarks (sciq **−0.30**")
    assert "[−0.45, −0.15], adjusted p 0.004)" in text


def test_a_loss_that_the_number_of_tasks_explains_is_none():
    text = " ".join(benchmarks_panel.forgetting(made(sciq=WEAK, logiqa=NOISE, gsm8k=GAIN)))
    assert text.startswith("**No sign of forgetting**: none of 3 benchmarks got worse beyond noise.")
    assert "A loss as large as −0.29 (sciq, n 40) is not ruled out" in text
    assert "Better beyond noise: gsm8k **+0.30**" in text
    (chart,) = benchmarks_panel.panel(made(sciq=WEAK), NAMES, [])
    assert (chart["changes"][0]["word"], chart["changes"][0]["p"]) == ("noise", "0.16")
    assert benchmarks_panel.forgetting({"scores": [], "comparisons": []}) == []
    none_right = made(gsm8k=((0.0, 0.0, 0.0), 1.0))
    none_right["scores"] = [row | {"mean": 0.0} for row in none_right["scores"]]
    assert (
        benchmarks_panel.forgetting(none_right)[-1] == "The base gets nothing right on gsm8k: no loss can show there."
    )


def test_files_are_held_against_full_precision():
    found = made(sciq=NOISE)
    assert benchmarks_panel.smaller(found, NAMES) == ["Against full precision no loss beyond noise: Q4_K_M, Q8_0."]
    found["comparisons"].append(change("tuned", "quantised", "sciq", "acc", *LOSS))
    found["comparisons"] = [c for c in found["comparisons"] if (c["b"], c["p"]) != ("quantised", 0.9)]
    lost = benchmarks_panel.smaller(found, NAMES)
    assert lost[0].startswith("**Q4_K_M lost** against full precision: sciq **−0.30**")
    assert lost[1].endswith("noise: Q8_0.")


def test_a_group_shows_its_tasks_in_the_table_alone():
    found = made(arithmetic=NOISE, arithmetic_1dc=NOISE)
    found["tasks"] = [{"task": "arithmetic", "condition": "0-shot", "parts": ["arithmetic_1dc"]}]
    samples = [{"task": "arithmetic_1dc", "condition": "0-shot", "choices": ["a", "b", "c", "d", "e"]}]
    (chart,) = benchmarks_panel.panel(found, NAMES, samples)
    assert (chart["task"], chart["metric"], chart["parts"], chart["guess"]) == ("arithmetic", "Accuracy", 1, "0.20")
    assert [row["name"] for row in chart["rows"]] == ["base", "tuned", "Q4_K_M", "Q8_0"]
    assert [row["is_part"] for row in benchmarks_panel.table(found)] == [False, False, True, True]


def item(number, model, right, **other):
    row = {"task": "sciq", "condition": "0-shot", "item": number, "prompt": f"A text.\nWhich {number}?\nAnswer:"}
    said = {"choices": [" salt", " iron"], "loglikelihoods": [-1.0, -2.0] if right else [-2.0, -1.0]}
    return {"model": model, **row, "target": 0, "scores": {"acc": float(right)}, **said, **other}


def test_items_that_tuning_changed_come_first_and_only_so_many():
    found = made(sciq=NOISE)
    samples = [item(i, model, model == "base" or i != 20) for model in ("base", "tuned") for i in range(30)]
    shown = task_answers.shown(found, NAMES, samples)
    assert (len(shown["items"]), shown["all"]) == (task_answers.EACH, 30)
    first = shown["items"][0]
    assert (first["question"], first["target"], first["moved"]) == ("Which 20?", "salt", "worse")
    assert [reply["text"] for reply in first["replies"]] == ["salt", "iron"]
    assert task_answers.shown(found, NAMES, [])["items"] == []
    many = made(**{f"task{i}": NOISE for i in range(40)})
    rows = [item(i, "base", True, task=f"task{t}") for t in range(40) for i in range(9)]
    page = task_answers.shown(many, NAMES, rows)
    assert len(page["items"]) == task_answers.WHOLE
    assert len(page["tasks"]) == 40


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("A text. More?\nQuestion: Which one?\nAnswer:", "Which one?"),
        ("It rained.\nQuestion: How long?\nAnswer: an hour\nPlausible:", "How long?"),
        ("Passage: It rained.\nQuestion: What follows?\nChoices:\nA. one\nB. two\nAnswer:", "What follows?"),
        ("What is 2 plus 2?\n\nAnswer", "What is 2 plus 2?"),
    ],
)
def test_an_item_is_named_by_the_line_that_asks(prompt, asked):
    found = task_answers.shown(made(sciq=NOISE), NAMES, [item(0, "base", True, prompt=prompt)])
    assert found["items"][0]["question"] == asked


def test_running_text_has_errors_and_differences():
    condition = {"condition": "running_text"}
    scores = [
        score(model, "text:wiki", metric, mean, clusters=12, **condition)
        for model in ("base", "tuned")
        for metric, mean in (("perplexity", 80.0), ("bits_per_byte", 1.9))
    ]
    rows = [change("base", "tuned", "text:wiki", "bits_per_byte", (0.2, 0.1, 0.3), 0.001, **condition)]
    (text,) = running_text.panel({"scores": scores, "comparisons": rows, "settings": {}}, NAMES)
    assert (text["name"], text["tokens"], text["windows"]) == ("wiki", "40", "12")
    assert text["rows"][0]["change"] is None
    assert text["rows"][1]["against"] == "base"
    said = benchmarks_panel.forgetting({"scores": scores, "comparisons": rows})
    assert said[0].startswith(
        "**Tuning made the model forget**: the text “wiki” is harder to foresee (bits a byte **+0.20**"
    )
    assert (text["rows"][1]["change"]["text"], text["rows"][1]["change"]["outcome"]) == ("+0.20", "worse")


def curve_of(losses, best, keep="best"):
    log = [{"step": i, "loss": 4 / i, "tokens": 100 * i} for i in range(1, 21)]
    validation = [{"step": step, "loss": loss} for step, loss in losses]
    manifest = Manifest("tune", "k", "k", {}, {}, {"best_step": best, "validation_rows": 9}, {}, 1.0, 1.0)
    recipe = Recipe.model_validate({**MINIMAL, "tune": {"keep": keep}})
    return learning.curve(Evidence({"tune": manifest}, [], [], log, [], 0, validation, {}, recipe))


def test_the_curve_shows_the_validation_loss_and_the_state_that_was_kept():
    found = curve_of([(10, 1.5), (15, 1.1), (20, 1.3)], 15)
    assert found["kept"]["rose"]
    assert (found["kept"]["best"], found["kept"]["step"], found["kept"]["keep"]) == ("1.10", "15", "best")
    assert 'class="kept" d="M736.8 0V1000"' in found["svg"]
    assert len(re.findall("h0", found["svg"])) == 3
    assert not curve_of([(10, 1.5), (20, 1.1)], 20)["kept"]["rose"]
    assert curve_of([], None)["kept"] is None


@pytest.mark.parametrize(("options", "lines"), [({}, 4), ({"definition": "llama", "limit_tokens": 16}, 2)])
def test_a_text_is_compared_as_far_as_it_was_read(tmp_path, options, lines):
    """llama.cpp's definition reads each window whole and scores its second half."""
    path = tmp_path / "wiki.txt"
    path.write_text("abcd\nefgh\nijkl\nmnop\n")
    windows = {"base": [Window(1.0, 1.0, 2, 3), Window(1.0, 1.0, 2, 2)]}
    [items] = overlap.of_text(RunningText(path=path, **options), windows).values()
    assert len(items) == lines


def test_training_pairs_that_hold_what_is_measured_are_counted_for_each_set(tmp_path):
    path = tmp_path / "wiki.txt"
    path.write_text("The old harbour wall was built of grey granite in the year of the flood.\n\nUnread.")
    section = RunningText(path=path, limit_tokens=16)
    windows = {"base": [Window(10.0, 9.0, 20, 40), Window(9.0, 8.0, 20, 30)]}
    text = overlap.of_text(section, windows)
    held = [Example.pair("Who keeps the lighthouse keys on Sundays in winter?", "Ann", context="Ann keeps the keys.")]
    train = [
        Example.pair("What of the wall?", "The old harbour wall was built of grey granite in the year of the flood."),
        Example.pair("Who has the keys?", "Ann keeps the keys."),
    ]
    rows = overlap.measure(train, overlap.sets(held, None) | text)
    assert [(row["set"], row["items"], row["pairs"]) for row in rows] == [
        ("held-out questions", 1, 0),  # its passage may be trained on
        ("text:wiki", 1, 1),
    ]
    assert rows[1]["examples"][0]["question"] == "What of the wall?"
    recipe = Recipe.model_validate({**MINIMAL, "prepare": {"leaks": {"benchmarks": [str(tmp_path / "sciq.jsonl")]}}})
    dropped = [Dropped(train[0], "leak: exact"), Dropped(train[1], "leak: benchmark stem")]
    known = Evidence({}, train, dropped, [], [], 0, recipe=recipe)
    panel = overlap.panel({"overlap": rows}, known)
    assert [(row["name"], row["taken"], row["left"]) for row in panel["rows"]] == [
        ("Held-out questions", "1", "0"),
        ("Named by the recipe", "1", "0"),
        ("wiki", "–", "1"),
    ]
    assert panel["sentences"][0].startswith("**Yes**: of 2 pairs trained on, parts of wiki in 1.")
    assert overlap.panel({"overlap": rows[:1]}, known)["sentences"][0].startswith("**No**")
    assert overlap.panel({"overlap": rows}, replace(known, train=[])) == {}


def test_every_exported_file_is_on_the_page_with_its_likeness(with_knowledge):
    job, open_engine, _ = with_knowledge(base=(0.2, 0.4), tuned=(0.7, 0.9), quantised=(0.6, 0.9))
    job = replace(job, models=job.models | {"quantised": replace(job.models["quantised"], quantisation="Q4_K_M")})
    path = job.inputs["manifest_export"]
    manifest = files.read_json(path)
    parity = {"kl": 0.00312, "top1": 0.987, "tokens": 4096, "token_ids_compared": 210, "token_ids_equal": 210}
    manifest["metrics"]["files"] = {  # sorted, as manifests are: the first name is not the first file of export.quant
        "F16": {"bytes": 27_400_000, "bits_per_weight": 16.0, "parity": parity},
        "Q4_K_M": {"bytes": 9_296_544, "bits_per_weight": 4.9, "parity": parity},
    }
    files.write_json(path, manifest)
    stage.run(job, open_engine)
    html = (job.folder / "report.html").read_text()
    section = html[html.index("What does smaller cost?") : html.index("How did it learn?")]
    for text in ("9.3 MB", "27.4 MB", "4.9 bits a weight", "0.0031", "98.7 %", "4,096 tokens of answers"):
        assert text in section
    assert "not measured" in section  # no point asks for F16
    assert "tokens a second" not in html
    markdown = (job.folder / "report.md").read_text()
    assert "| Q4_K_M | 9.3 MB | 0." in markdown
    assert "| F16 | 27.4 MB |  |" in markdown


@pytest.mark.parametrize("tuning", [LOSS, NOISE])
def test_the_page_holds_all_of_it_in_order(with_knowledge, tuning):
    job, open_engine, _ = with_knowledge(base=(0.2, 0.4), tuned=(0.7, 0.9), quantised=(0.7, 0.9))
    stage.run(job, open_engine)
    more, found = made(sciq=tuning), files.read_json(job.folder / "report.json")
    whole = found | {"tasks": more["tasks"], "versions": found["versions"] | {"lm_eval": "0.4"}}
    for key in ("scores", "comparisons"):
        whole[key] = found[key] + more[key]
    items = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]
    samples = [item(i, model, True, prompt="<i>Why?</i>") for model in ("base", "tuned") for i in range(3)]
    said = [Sample.from_row(row) for row in files.read_jsonl(job.folder / "samples.jsonl")]
    report.write(Story(whole, items, said, evidence.read(job), "runs/harbour", samples), job.folder)
    html = (job.folder / "report.html").read_text()
    asked = ["Did tuning help?", "Was anything lost?", "How did it learn?", "Benchmark items", "Can I believe it?"]
    places = [html.index(f"<h2>{heading}") for heading in asked]
    assert places == sorted(places)
    assert html.index("Does training hold anything of what is measured?") > places[-1]
    assert ("Tuning made the model forget" in html) == (tuning == LOSS)
    assert "&lt;i&gt;Why?" in html
    assert "<i>Why?" not in html
    assert '<option value="sciq">' in html
    assert "| sciq | acc | 0-shot | 40 |" in (job.folder / "report.md").read_text()
