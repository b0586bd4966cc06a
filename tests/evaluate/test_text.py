import math
from dataclasses import replace

import pytest

from ozfig import files
from ozfig.engines.resolve import resolve
from ozfig.engines.transformers import load
from ozfig.errors import UserError
from ozfig.evaluate import stage, text
from ozfig.recipe import Evaluate, RunningText

torch = pytest.importorskip("torch")

WORDS = "The tide turns twice a day – and the harbour with it, as every sailor on the Ærø ferry knows well enough. "


@pytest.fixture(scope="module")
def engine():
    return load(resolve("pebble"))


@pytest.fixture
def section(tmp_path):
    path = tmp_path / "tides.txt"
    path.write_text("".join(f"{i}. {WORDS}" for i in range(24)), encoding="utf-8")
    return RunningText(path=path, context=64)


def log_probabilities(engine, ids):
    with torch.inference_mode():
        return engine.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)


def test_llama_is_the_tools_arithmetic(engine, section, tmp_path):
    section = section.model_copy(update={"definition": "llama"})
    found = text.measure(section, {"base": resolve("pebble")}, lambda ref: engine, tmp_path)["base"]
    ids = engine.tokenizer(section.path.read_text())["input_ids"]
    bos, size = engine.tokenizer.bos_token_id, 64
    assert ids[0] == bos
    total = squares = count = scored_bytes = 0
    for chunk in range(len(ids) // size):
        tokens = ids[chunk * size : (chunk + 1) * size]
        given = log_probabilities(engine, [bos, *tokens[1:]])
        for at in range(size // 2, size - 1):
            nats = -given[at, tokens[at + 1]].item()
            total, squares, count = total + nats, squares + nats * nats, count + 1
        pieces = engine.tokenizer.convert_ids_to_tokens(tokens[size // 2 + 1 :])
        scored_bytes += sum(1 if p.startswith("<0x") else len(p.replace("▁", " ").encode()) for p in pieces)
    mean = total / count
    error = math.sqrt((squares / count - mean**2) / (count - 1)) * math.exp(mean)
    rows = {row.metric: row for row in text.scores(section, {"base": found})}
    assert (rows["perplexity"].mean, rows["perplexity"].stderr) == pytest.approx((math.exp(mean), error), rel=1e-4)
    assert rows["perplexity"].n == count == (size // 2 - 1) * len(found)
    assert rows["bits_per_byte"].mean == pytest.approx(total / math.log(2) / scored_bytes, rel=1e-4)
    assert (rows["perplexity"].task, rows["perplexity"].condition) == ("text:tides", "running_text")


def test_stride_is_the_loop_of_the_documentation(engine, section, tmp_path):
    found = text.measure(section, {"base": resolve("pebble")}, lambda ref: engine, tmp_path)["base"]
    raw = section.path.read_text()
    ids = engine.tokenizer(raw)["input_ids"]
    total, done = 0.0, 1
    for begin in range(0, len(ids), 32):
        end = min(begin + 64, len(ids))
        given = log_probabilities(engine, ids[begin:end])
        total -= sum(given[at - begin - 1, ids[at]].item() for at in range(done, end))
        done = end
        if end == len(ids):
            break
    rows = {row.metric: row for row in text.scores(section, {"base": found})}
    assert rows["perplexity"].n == len(ids) - 1
    assert rows["perplexity"].mean == pytest.approx(math.exp(total / (len(ids) - 1)), rel=1e-4)
    assert rows["bits_per_byte"].mean == pytest.approx(total / math.log(2) / len(raw.encode()), rel=1e-4)
    assert rows["perplexity"].clusters == len(found) > 10
    assert 0 < rows["bits_per_byte"].stderr < rows["bits_per_byte"].mean / 5


def test_llama_agrees_with_llama_cpp_on_the_tokens_of_a_file(engine, section):
    from ozfig.evaluate.perplexity import read_text

    raw = section.path.read_text()
    read = read_text(engine.tokenizer, raw)
    assert read.start == engine.tokenizer.bos_token_id
    assert read.ends[-1] == len(raw.encode())
    assert read_text(engine.tokenizer, raw, 40).ids == read.ids[:40]
    assert read.ends == sorted(read.ends)


def test_a_killed_measurement_goes_on(engine, section, tmp_path, monkeypatch):
    models, scored = {"base": resolve("pebble")}, []
    real = text.ppl.score

    def score(*arguments):
        if len(scored) == 20:
            raise KeyboardInterrupt
        scored.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(text.ppl, "score", score)
    with pytest.raises(KeyboardInterrupt):
        text.measure(section, models, lambda ref: engine, tmp_path)
    monkeypatch.setattr(text.ppl, "score", lambda *a: scored.append(a) or real(*a))
    found = text.measure(section, models, lambda ref: engine, tmp_path)["base"]
    assert len(scored) == 20 + len(found) - 16  # a file of sixteen windows was whole

    def never(ref):
        raise AssertionError("opened again")

    assert text.measure(section, models, never, tmp_path)["base"] == found
    assert [p.suffix for p in tmp_path.glob("text.*")] == [".jsonl"]


def test_what_does_not_fit_is_explained(engine, section, tmp_path):
    def measure(**changes):
        text.measure(section.model_copy(update=changes), {"base": resolve("pebble")}, lambda ref: engine, tmp_path)

    with pytest.raises(UserError, match="reads 1024 tokens"):
        measure(context=4096)
    with pytest.raises(UserError, match="need at least 128"):
        measure(definition="llama", limit_tokens=100)
    with pytest.raises(UserError, match="one window holds it all"):
        measure(context=None, limit_tokens=100)


def test_a_run_reports_the_text(job, section):
    section = section.model_copy(update={"limit_tokens": 400})
    values = {"limit": 3, "max_tokens": 4, "metrics": ["token_f1"], "conditions": ["closed_book"], "text": section}
    base = resolve("pebble")
    job.folder.mkdir(parents=True)
    models = {"base": base, "tuned": replace(base, name="tuned", sha256="another")}
    job = replace(job, section=Evaluate(**{**job.section.model_dump(), **values}), models=models)
    stage.run(job)
    report = files.read_json(job.folder / "report.json")
    rows = {(r["model"], r["metric"]): r for r in report["scores"] if r["task"] == "text:tides"}
    assert {m for _, m in rows} == {"perplexity", "bits_per_byte"}
    assert {r["n"] for r in rows.values()} == {399}
    [change] = [c for c in report["comparisons"] if c["task"] == "text:tides" and c["metric"] == "perplexity"]
    # the same weights under two names
    assert (change["a"], change["b"], change["difference"], change["p_adjusted"]) == ("base", "tuned", 0.0, 1.0)
    assert "the text “tides” is" in (job.folder / "report.html").read_text(encoding="utf-8")
