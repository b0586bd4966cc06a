"""Encoder-decoders and encoders from data to a served model."""

import json
import os
import re
import subprocess
import sys
import time

import httpx
import pytest

from ozfig import files, pipeline
from ozfig.runs import STAGES

NAMES = ["red", "green", "blue", "white", "black", "grey"]
STREETS = ["Harbour", "Mill", "Church", "Station"]


def write_recipe(folder, base):
    rows = [
        (
            f"Which colour has house number {i} in {STREETS[i % 4]} Street?",
            name,
            f"As everybody knows house {i} is {name}.",
        )
        for i, name in enumerate(NAMES * 4)
    ]
    lines = "".join(",".join(row) + "\n" for row in rows)
    (folder / "faq.csv").write_text("question,answer,context\n" + lines)
    (folder / "heads.yaml").write_text(
        f"name: heads\nbase: {base}\nsystem: ''\n"
        "gather: {sources: [{kind: dataset, path: faq.csv, documents_from: context}]}\n"
        "prepare: {pairs: {kind: none}, clean: [{kind: exact}], leaks: {threshold: 1.0, paraphrase: 0},"
        " held_out: {share: 0.2}, passages: {index: words}}\n"
        "tune: {epochs: 20, learning_rate: 0.01, rank: 4}\n"
        "evaluate: {max_tokens: 6, resamples: 1000, metrics: [exact_match, token_f1, perplexity]}\n"
    )
    return folder / "heads.yaml"


def ozfig(*words):
    return [sys.executable, "-m", "ozfig.cli", *map(str, words)]


@pytest.fixture(scope="module", params=["seq2seq", "span"])
def finished(request, t5, bert, tmp_path_factory):
    """The head, the run's folder and what `ozfig run --json` printed."""
    folder = tmp_path_factory.mktemp(request.param)
    path = write_recipe(folder, {"seq2seq": t5, "span": bert}[request.param])
    command = ozfig("run", path, "--runs", folder / "runs", "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, folder / "runs" / "heads", json.loads(done.stdout)


def test_a_run_goes_through_and_leaves_no_gguf(finished):
    head, run, printed = finished
    assert {name: row["status"] for name, row in printed["stages"].items()} == dict.fromkeys(STAGES, "done")
    assert printed["models"]["quantised"] is None
    assert printed["models"]["tuned"].endswith("tune/adapter")
    assert sorted(p.name for p in (run / "export").iterdir()) == ["key.txt", "manifest.json", "merged"]
    assert files.read_json(run / "models.json")["tuned"]["head"] == head
    assert f"head: {head}\n" in (run / "recipe.yaml").read_text()


def test_the_frozen_recipe_is_done(finished):
    _, run, _ = finished
    plan = subprocess.run(ozfig("plan", run / "recipe.yaml", "--json"), capture_output=True, text=True, check=True)
    assert {row["status"] for row in json.loads(plan.stdout)["stages"]} == {"skip"}


def test_the_report_says_what_a_head_cannot_be_asked(finished):
    head, run, _ = finished
    report = files.read_json(run / "evaluate/report.json")
    cells = {(row["model"], row["condition"]) for row in report["scores"]}
    metrics = {row["metric"] for row in report["scores"]}
    asked = {"retrieved", "gold_context"} | ({"closed_book"} if head == "seq2seq" else set())
    assert cells == {(point, condition) for point in ("base", "tuned") for condition in asked}
    assert ("perplexity" in metrics) == ("answer_loss" in metrics) == (head == "seq2seq")
    assert bool(report["notes"]) == (head == "span")
    for name in ("report.html", "report.md"):
        text = (run / "evaluate" / name).read_text()
        assert ("Marks answers in a passage" in text) == (head == "span")


def test_merged_weights_answer_as_the_adapter_does(finished):
    from ozfig.engines import opening
    from ozfig.engines.base import Decoding
    from ozfig.types import Message

    _, run, _ = finished
    samples = files.read_jsonl(run / "evaluate/samples.jsonl")
    rows = [row for row in samples if (row["model"], row["condition"]) == ("tuned", "gold_context")]
    assert len(rows) >= 2
    found = pipeline.served([str(run)])
    assert found.model.path == str(run / "export/merged")
    prompts = [[Message(**m) for m in row["prompt"]] for row in rows]
    assert opening.load(found.model).generate(prompts, Decoding(6)) == [row["reply"] for row in rows]


@pytest.fixture(scope="module")
def web(finished, tmp_path_factory):
    """The head and a client of the served run."""
    head, run, _ = finished
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("w") as out:
        command = ozfig("serve", run, "--port", 0, "--database", log.parent / "chat.db")
        server = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "NO_COLOR": "1"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        if port := re.search(r"chat\s+http://\S+:(\d+)/", log.read_text()):
            with httpx.Client(base_url=f"http://127.0.0.1:{port[1]}", timeout=60) as client:
                if _ready(client):
                    yield head, client
                    break
        time.sleep(0.1)
    server.terminate()
    assert server.wait(20) is not None, log.read_text()


def _ready(client):
    try:
        return client.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


ASKED = "As everybody knows house 3 is white.\n\nWhich colour has house number 3 in Station Street?"


def test_a_run_is_served_whole_and_streamed(web):
    head, client = web
    body = {"messages": [{"role": "user", "content": ASKED}], "max_tokens": 6}
    reply = client.post("/v1/chat/completions", json=body).json()
    said = reply["choices"][0]["message"]["content"]
    assert said
    assert reply["usage"]["prompt_tokens"] > reply["usage"]["completion_tokens"] > 0
    if head == "span":
        assert said in ASKED or said == "The passage does not answer this."
    events = client.post("/v1/chat/completions", json={**body, "stream": True}).text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == said
    text = client.post("/v1/completions", json={"prompt": ASKED, "max_tokens": 6}).json()
    assert text["choices"][0]["text"] == said


def test_a_question_without_a_passage(web):
    head, client = web
    reply = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Which colour?"}]})
    prompt = client.get("/prompt/Which colour%3F")
    assert prompt.status_code == reply.status_code
    if head == "seq2seq":
        assert reply.json()["choices"][0]["message"]["content"] == prompt.json()["answer"]
    else:
        assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")
        assert "write the passage" in reply.json()["error"]["message"]
    assert client.get("/").status_code == 200
