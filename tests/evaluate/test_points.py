import asyncio
from dataclasses import replace

import pytest

from ozfig import files
from ozfig.engines.base import Decoding
from ozfig.engines.remote import RemoteEngine
from ozfig.errors import OutsideError, UserError
from ozfig.evaluate import points, stage
from ozfig.recipe import Evaluate
from ozfig.recipes import parse
from ozfig.types import ModelRef

from .conftest import EXAMPLES


def gguf(name, quant):
    return ModelRef("gguf", f"/run/{name}.{quant}.gguf", name, "/run/merged", quant, quant)


MODELS = {
    "base": ModelRef("transformers", "/base", "base", sha256="b"),
    "tuned": ModelRef("adapter", "/run/adapter", "tuned", "/base", "t"),
    "quantised": gguf("x", "Q4_K_M"),
    "Q4_K_M": gguf("x", "Q4_K_M"),
    "Q8_0": gguf("x", "Q8_0"),
}


def section(*named, **options):
    return Evaluate(points=list(named), **options)


def test_every_exported_file_is_measured_once():
    found = points.chosen(section("base", "tuned", "all_quantised"), MODELS)
    assert list(found) == ["base", "tuned", "quantised", "Q8_0"]
    assert ("tuned", "Q8_0") in points.steps(found)
    assert list(points.chosen(section("tuned", "Q8_0"), MODELS)) == ["tuned", "Q8_0"]
    with pytest.raises(UserError, match=r"F16 was not exported; export.quant gave Q4_K_M, Q8_0"):
        points.chosen(section("F16"), MODELS)


def test_what_the_run_has_not_made_is_left_out():
    assert list(points.chosen(section("base", "tuned", "quantised"), {"base": MODELS["base"]})) == ["base"]


def test_another_model_on_this_disk_and_behind_a_url(pebble, tmp_path):
    others = [{"name": "small", "model": str(pebble)}, {"name": "zephyr", "model": "http://127.0.0.1:9/v1"}]
    found = points.chosen(section("tuned", *others), MODELS)
    assert (found["small"].kind, found["small"].name) == ("transformers", "small")
    assert (found["zephyr"].kind, found["zephyr"].path) == ("openai", "http://127.0.0.1:9/v1")
    assert points.steps(found)[-2:] == [("small", "tuned"), ("zephyr", "tuned")]
    alone = tmp_path / "zephyr.gguf"
    alone.write_bytes(b"GGUF")
    file = points.chosen(section({"name": "alone", "model": str(alone)}), {})["alone"]
    assert (file.kind, file.path, file.only_answers) == ("gguf", str(alone), True)
    assert not MODELS["Q8_0"].only_answers
    with pytest.raises(UserError, match="no such model"):
        points.chosen(section({"name": "lost", "model": "pebbel"}), MODELS)


@pytest.mark.parametrize(
    ("named", "mend"),
    [
        (["bases"], "did you mean base"),
        (["zephyr"], "give it as {name, model}"),
        (["base", "base"], "named twice"),
        ([{"name": "tuned", "model": "pebble"}], "another name"),
        ([{"name": "a b", "model": "pebble"}], "name"),
    ],
)
def test_a_wrong_point_is_explained(named, mend):
    with pytest.raises(UserError) as error:
        parse(Evaluate, {"points": named}, "recipe.yaml")
    assert mend in str(error.value)


def test_a_server_answers_in_order_and_gives_no_losses(chat_server):
    chat_server.answer = lambda path, body: f" re: {body['messages'][-1]['content']} "
    engine = points.opener(section({"name": "zephyr", "model": chat_server.url}))(
        points.chosen(section({"name": "zephyr", "model": chat_server.url}), {})["zephyr"]
    )
    asked = [e.messages[:-1] for e in EXAMPLES[:12]]
    seen = []
    assert engine.generate(asked, Decoding(9), seen.append) == [f"re: {e.question}" for e in EXAMPLES[:12]]
    assert sum(seen) == 12
    assert [loss.tokens for loss in engine.losses(asked, ["x"] * 12)] == [0] * 12
    bodies = [body for path, body, _ in chat_server.asked if path == "/chat/completions"]
    assert {(b["model"], b["max_tokens"], b["temperature"]) for b in bodies} == {("teacher", 9, 0.0)}


def test_a_silent_server_is_an_outside_failure():
    from ozfig.engines.openai import Endpoint

    engine = RemoteEngine("lost", Endpoint("http://127.0.0.1:9/v1", "m", retries=0))
    with pytest.raises(OutsideError, match="cannot be reached"):
        engine.generate([EXAMPLES[0].messages[:-1]], Decoding())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()  # none is left behind


def test_a_run_is_compared_with_a_server(with_knowledge, chat_server):
    job, open_engine, _ = with_knowledge(base=(0.1, 0.4), tuned=(0.7, 0.9))
    known = {e.question: e.answer for e in EXAMPLES}
    chat_server.answer = lambda path, body: known[body["messages"][-1]["content"].splitlines()[-1]]
    zephyr = {"name": "zephyr", "model": chat_server.url}
    values = {**job.section.model_dump(), "points": ["base", "tuned", zephyr], "conditions": ["closed_book"]}
    chosen = Evaluate(**values)
    remote = points.opener(chosen)
    job = replace(job, section=chosen)
    stage.run(job, lambda ref: remote(ref) if ref.kind == "openai" else open_engine(ref))
    report = files.read_json(job.folder / "report.json")
    by = {(row["model"], row["metric"]): row for row in report["scores"]}
    assert by["zephyr", "exact_match"]["mean"] == 1.0
    assert ("tuned", "answer_loss") in by
    assert not {("zephyr", "answer_loss"), ("zephyr", "perplexity")} & set(by)
    against = {(row["a"], row["b"], row["metric"]): row for row in report["comparisons"]}
    assert against["zephyr", "tuned", "token_f1"]["difference"] < 0
    assert ("zephyr", "tuned", "answer_loss") not in against
    page = (job.folder / "report.html").read_text(encoding="utf-8")
    assert "Against zephyr" in page
    rows = [row for row in files.read_jsonl(job.folder / "samples.jsonl") if row["model"] == "zephyr"]
    assert {(row["nats"], row["tokens"]) for row in rows} == {(0.0, 0)}
