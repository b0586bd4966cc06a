from dataclasses import replace

import pytest

from ozfig import files
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError
from ozfig.evaluate import harness, results, stage
from ozfig.evaluate.statistics import holm, mcnemar, mean_and_stderr
from ozfig.types import Comparison, Example, Sample, Score

KNOWLEDGE = {"base": (0.1, 0.4), "tuned": (0.6, 0.8), "quantised": (0.6, 0.8)}


@pytest.fixture
def done(with_knowledge):
    job, open_engine, opened = with_knowledge(**KNOWLEDGE)
    return job, stage.run(job, open_engine), opened


def read(job):
    report = files.read_json(job.folder / "report.json")
    return report, {(c["a"], c["b"], c["condition"], c["metric"]): c for c in report["comparisons"]}


def test_the_contract_of_the_report(done):
    job, outcome, opened = done
    report, _ = read(job)
    assert outcome.outputs == ["samples.jsonl", "report.json"]
    assert opened == ["base", "tuned", "quantised"]
    assert set(report["versions"]) == {"ozfig", "code", "data", "models"}
    assert report["versions"]["models"]["tuned"] == "tuned"
    assert report["versions"]["data"]["held_out"] == files.sha256_path(job.inputs["held_out"])
    assert all(Score.from_row(row).task == "held_out" for row in report["scores"])
    assert all(Comparison.from_row(row).low <= row["difference"] <= row["high"] for row in report["comparisons"])


def test_scores_are_the_means_of_the_samples(done):
    job, _, _ = done
    report, compared = read(job)
    samples = [Sample.from_row(row) for row in files.read_jsonl(job.folder / "samples.jsonl")]
    values = [s.scores["token_f1"] for s in samples if (s.model, s.condition) == ("tuned", "closed_book")]
    row = next(
        r for r in report["scores"] if (r["model"], r["condition"], r["metric"]) == ("tuned", "closed_book", "token_f1")
    )
    assert (row["mean"], row["stderr"]) == pytest.approx(mean_and_stderr(values), abs=1e-6)
    before = [s.scores["token_f1"] for s in samples if (s.model, s.condition) == ("base", "closed_book")]
    change = compared["base", "tuned", "closed_book", "token_f1"]
    assert change["difference"] == pytest.approx((sum(values) - sum(before)) / 24, abs=1e-6)
    assert change["low"] > 0


def test_questions_without_a_passage_are_left_out_for_all_models(done):
    job, _, _ = done
    report, compared = read(job)
    assert {r["n"] for r in report["scores"] if r["condition"] == "closed_book"} == {24}
    assert {r["n"] for r in report["scores"] if r["condition"] == "gold_context"} == {20}
    assert compared["tuned@closed_book", "tuned@gold_context", "closed_book->gold_context", "token_f1"]["n"] == 20
    assert ("base@gold_context", "tuned@closed_book", "gold_context->closed_book", "answer_loss") in compared


def test_what_a_killed_run_finished_is_not_asked_again(with_knowledge):
    job, open_engine, opened = with_knowledge(**KNOWLEDGE)

    def fails_at_the_third(ref):
        if ref.name == "quantised":
            raise KeyboardInterrupt
        return open_engine(ref)

    with pytest.raises(KeyboardInterrupt):
        stage.run(job, fails_at_the_third)
    assert opened == ["base", "tuned"]
    (job.cache / "parts" / "tuned.x.jsonl.1.part").write_text("half a part")
    stage.run(job, open_engine)
    assert opened == ["base", "tuned", "quantised"]
    first = [(job.folder / name).read_bytes() for name in ("samples.jsonl", "report.json")]
    for path in (job.cache / "parts").glob("base.*"):
        path.unlink()
    stage.run(job, open_engine)
    assert opened[3:] == ["base"]
    assert [(job.folder / name).read_bytes() for name in ("samples.jsonl", "report.json")] == first


def test_other_weights_or_questions_are_other_parts(with_knowledge):
    job, _, _ = with_knowledge(**KNOWLEDGE)
    items = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]

    def names(items=items, models=job.models, system="s"):
        asked = harness.by_condition(items, job.section, None)
        return {part.path.name for part in harness.parts(asked, models, job.section, system, job.folder)}

    retrained = {**job.models, "tuned": replace(job.models["tuned"], sha256="other")}
    assert len(names()) == 6
    assert len(names() & names(models=retrained)) == 4
    assert not names() & names(items=items[2:])
    assert not names() & names(system="t")


def test_the_prompt_is_the_one_of_training(done):
    job, _, _ = done
    rows = [row for row in files.read_jsonl(job.folder / "samples.jsonl") if row["condition"] == "gold_context"]
    system, user = rows[0]["prompt"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"].startswith("The berth number")
    assert user["content"].endswith("cost?")


def test_limit_takes_the_same_questions_whatever_their_order(job):
    items = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]
    chosen = harness.select(items, 5)
    assert len(chosen) == 5
    assert {e.id for e in harness.select(items[::-1], 5)} == {e.id for e in chosen}
    with pytest.raises(UserError, match="too few"):
        harness.select(items[:1], None)
    with pytest.raises(UserError, match=r"evaluate\.limit"):
        harness.select(items, 1)


def test_an_embedded_model_is_measured_for_real(job):
    pytest.importorskip("transformers")
    section = job.section.model_copy(update={"limit": 3, "max_tokens": 4, "metrics": ["token_f1", "perplexity"]})
    job.folder.mkdir(parents=True, exist_ok=True)
    stage.run(replace(job, section=section, models={"base": resolve("pebble")}))
    rows = list(files.read_jsonl(job.folder / "samples.jsonl"))
    assert len(rows) >= 3
    assert all(row["nats"] > row["tokens"] * 0.1 for row in rows)
    report = files.read_json(job.folder / "report.json")
    assert {r["metric"] for r in report["scores"]} == {"token_f1", "answer_loss", "perplexity"}


def test_new_metrics_open_no_model(with_knowledge):
    job, open_engine, opened = with_knowledge(**KNOWLEDGE)
    stage.run(job, open_engine)
    assert len(opened) == 3
    changes = {"metrics": ["squad_v2", "rouge_l", "chrf", "bleu4"], "resamples": 2000, "bertscore_model": "minilm"}
    # what the pipeline does when the recipe has changed: the stage's folder is new, its cache is not
    job = replace(job, section=job.section.model_copy(update=changes), folder=job.folder.parent / "again")
    stage.run(job, open_engine)
    assert len(opened) == 3
    report = files.read_json(job.folder / "report.json")
    metrics = {row["metric"] for row in report["scores"]}
    # no question is without an answer here, so those columns are left out
    assert metrics == {
        "squad_v2_exact_match", "squad_v2_f1", "squad_v2_has_answer_exact_match", "squad_v2_has_answer_f1",
        "rouge_l", "chrf", "bleu4",
    }  # fmt: skip
    assert len({row["reply"] for row in files.read_jsonl(job.folder / "samples.jsonl")}) > 2


def test_right_or_wrong_is_tested_exactly_and_every_p_is_corrected(done):
    job, _, _ = done
    report, compared = read(job)
    change = compared["base", "tuned", "closed_book", "exact_match"]
    rows = [Sample.from_row(row) for row in files.read_jsonl(job.folder / "samples.jsonl")]
    before, after = (
        [s.scores["exact_match"] for s in rows if (s.model, s.condition) == (model, "closed_book")]
        for model in ("base", "tuned")
    )
    assert (change["test"], change["p"]) == ("mcnemar", round(mcnemar(before, after), 6))
    assert compared["base", "tuned", "closed_book", "answer_loss"]["test"] == "t"
    assert all(row["p"] <= row["p_adjusted"] <= 1 for row in report["comparisons"])
    family = [row for row in report["comparisons"] if row["metric"] == "exact_match"]
    assert [row["p_adjusted"] for row in family] == pytest.approx(holm([row["p"] for row in family]), abs=2e-6)


def test_questions_about_one_document_are_one_cluster(with_knowledge):
    job, open_engine, _ = with_knowledge(base=(0.1, 0.4), tuned=(0.6, 0.8))
    items = [Example.from_row(row) for row in files.read_jsonl(job.inputs["held_out"])]
    sourced = [replace(e, source=f"page {i % 5}", maker="faq") for i, e in enumerate(items)]
    files.write_jsonl(job.inputs["held_out"], (e.to_row() for e in sourced))
    stage.run(job, open_engine)
    report, compared = read(job)
    assert {row["clusters"] for row in report["scores"] if row["condition"] == "closed_book"} == {5}
    change = compared["base", "tuned", "closed_book", "exact_match"]
    assert (change["clusters"], change["test"]) == (5, "t")
    names = {e.id: e.source for e in sourced}
    rows = [Sample.from_row(row) for row in files.read_jsonl(job.folder / "samples.jsonl")]
    own = [s for s in rows if (s.model, s.condition) == ("tuned", "closed_book")]
    row = next(r for r in report["scores"] if (r["model"], r["condition"], r["metric"]) ==
               ("tuned", "closed_book", "token_f1"))  # fmt: skip
    expected = mean_and_stderr([s.scores["token_f1"] for s in own], [names[s.item] for s in own])
    assert (row["mean"], row["stderr"]) == pytest.approx(expected, abs=1e-6)


def test_a_file_is_no_document():
    rows = [
        Example.pair("a?", "a", source="faq.csv", maker="dataset"),
        Example.pair("b?", "b", source="Normans", context="They came.", maker="dataset"),
        Example.pair("c?", "c", source="page.html", maker="faq"),
    ]
    assert results.documents(rows) == {rows[1].id: "Normans", rows[2].id: "page.html"}


def test_families_of_other_tasks_are_pairs_of_models():
    def row(task, a, metric, p):
        return Comparison(a, "tuned", task, "few_shot", metric, 9, 0.1, 0.0, 0.2, p)

    found = [row("mmlu", "base", "acc", 0.01), row("gsm8k", "base", "exact_match", 0.04), row("mmlu", "q", "acc", 0.03)]
    assert [c.p_adjusted for c in results.adjusted(found)] == [0.02, 0.04, 0.03]
