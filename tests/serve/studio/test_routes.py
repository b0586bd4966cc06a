"""The runs' pages as a client gets them."""

import pytest
from starlette.testclient import TestClient

from ozfig import files
from ozfig.forecast import book
from ozfig.recipe import Recipe
from ozfig.recipes import load
from ozfig.runs import Run
from ozfig.serve.settings import Settings
from ozfig.serve.studio.app import create_app
from ozfig.serve.studio.home import around
from ozfig.serve.studio.overview import Overview
from ozfig.serve.studio.training import TrainingLog
from ozfig.serve.studio.views import duration, size
from ozfig.types import ModelRef

from .conftest import log, manifest

HERE = {"Origin": "http://127.0.0.1"}


@pytest.fixture
def client(runs):
    with TestClient(create_app(runs, Settings()), base_url="http://127.0.0.1") as client:
        yield client


def states(run):
    return [stage.state for stage in Overview(run).stages]


def test_the_list_tells_how_each_run_is(client):
    page = client.get("/").text
    assert page.count('<li class="card run">') == 2
    assert "Tuning helped." in page
    assert '<b>0.20</b> <span class="faint">± 0.02</span>' in page
    assert '<b class="better">+0.10</b> <span class="faint">[+0.06, +0.14]</span>' in page
    assert "prepare: unfinished" in page


def test_states_follow_the_folder(runs):
    yard, begun = Run(runs / "yard"), Run(runs / "begun")
    assert states(yard) == ["done"] * 5
    assert states(begun) == ["done", "stopped", "waiting", "waiting", "waiting"]
    with begun.lock():
        assert begun.is_busy
        assert states(begun) == ["done", "running", "waiting", "waiting", "waiting"]
    assert not begun.is_busy
    files.write_text(yard.folder / "edits.jsonl", "{}\n")
    assert states(yard) == ["done", "older", "older", "older", "older"]
    (yard.folder / "edits.jsonl").unlink()
    yard.write_manifest(manifest("tune", {"adapter": "b"}, {"train": "other"}, first_loss=1.0, final_loss=1.0, steps=1))
    assert states(yard) == ["done", "done", "older", "older", "older"]


def test_a_run_under_way_is_followed(client, runs):
    begun = Run(runs / "begun")
    begun.write_manifest(manifest("prepare", train=7, held_out=2, dropped={"near duplicate": 1}))
    files.write_text(begun.stage("tune") / "key.txt", "k")
    files.write_json(begun.stage("tune") / "plan.json", {"steps": 20, "tokens": 40000})
    with begun.lock():
        log(begun, 5)
        first = client.get("/runs/begun/live")
        assert "step 5 of 20" in first.text
        assert 'class="curve"' in first.text
        assert "7 pairs · 2 held out · 1 dropped" in first.text
        log(begun, 6, start=6)
        assert "step 6 of 20" in client.get("/runs/begun/live").text
    still = client.get("/runs/begun/live")
    assert "unfinished" in still.text
    again = client.get("/runs/begun/live", headers={"If-None-Match": still.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


def test_plans_are_shown_where_a_run_has_them(client, runs):
    before = client.get("/runs/yard/live")
    assert "planned" not in before.text
    assert "What it took" in before.text
    yard = Run(runs / "yard")
    book.open_book(load(Recipe, yard.folder / "recipe.yaml"), yard)
    for stage in ("tune", "export"):
        book.note(yard, yard.manifest(stage))
    foreseen = files.read_json(yard.folder / book.NAME)["tune"]["planned"]
    page = client.get("/runs/yard/live", headers={"If-None-Match": before.headers["etag"]}).text
    assert "Plan against actual" in page
    assert page.count(">planned ") == 9  # time, memory and disk of tune, export and evaluate
    for words in (duration(foreseen["seconds"]), size(foreseen["memory_mb"]), size(foreseen["disk_mb"])):
        assert f">planned <span>{words}</span>" in page
    assert "12 s<span" in page


def test_a_plan_is_shown_before_its_stage_has_begun(client, runs):
    files.write_json(
        runs / "begun" / book.NAME, {"tune": {"planned": {"seconds": 200, "memory_mb": 2048, "disk_mb": 5}}}
    )
    page = client.get("/runs/begun/live").text
    assert '–<span class="plan">planned <span>3 min 20 s</span></span>' in page
    assert ">2.0 GB</span>" in page
    assert ">5.0 MB</span>" in page


def test_what_became_of_a_setting_is_readable(client, runs):
    path = runs / "yard" / "tune" / "manifest.json"
    written = files.read_json(path)
    written["metrics"]["resolved"]["tune.target_modules"] = ["q_proj", "v_proj"]
    files.write_json(path, written)
    page = client.get("/runs/yard").text
    assert ">tune.packing</th>" in page
    assert ">q_proj, v_proj</td>" in page


def test_the_report_is_shut_off_from_the_server(client):
    page = client.get("/runs/yard/page/report")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert policy.count("'sha256-") == 1
    assert page.headers["x-frame-options"] == "SAMEORIGIN"
    assert client.get("/runs/begun/page/report").status_code == 404
    assert client.get("/runs/yard/page/secrets").status_code == 400
    assert "frame-src 'self'" in client.get("/runs/yard").headers["content-security-policy"]
    assert "frame" not in client.get("/runs").headers["content-security-policy"].replace("frame-ancestors", "")


@pytest.mark.parametrize("name", ["none", "%00", "n" * 3000, "%2e%2e", "..%2fyard", ".lock", "%2Fetc"])
def test_nothing_outside_the_folder_is_a_run(client, name):
    for tail in ("", "/live", "/review", "/page/report"):
        assert client.get(f"/runs/{name}{tail}").status_code == 404


def test_the_folder_of_a_served_model(runs, tmp_path):
    inside = ModelRef("gguf", str(runs / "yard" / "export" / "yard.Q4_K_M.gguf"), "yard")
    assert around(inside) == runs
    assert around(ModelRef("gguf", str(tmp_path / "model.gguf"), "model")) is None
    assert around(ModelRef("openai", "http://127.0.0.1:1/v1", "far")) is None
    with TestClient(create_app(None, Settings()), base_url="http://127.0.0.1") as client:
        assert "ozfig serve runs/NAME" in client.get("/runs").text


def test_a_log_is_followed_and_read_anew_after_a_resume(tmp_path):
    run = Run(tmp_path)
    run.stage("tune").mkdir()
    seen = TrainingLog(run.stage("tune") / "log.jsonl")
    seen.follow()
    assert seen.curve() is None
    log(run, 30)
    with (run.stage("tune") / "log.jsonl").open("a") as out:
        out.write('{"step": 31, "lo')
    seen.follow()
    assert (seen.step, len(seen.losses)) == (30, 30)
    rows = [{"step": n, "loss": 1.0, "tokens": n} for n in range(1, 11)]
    files.write_jsonl(run.stage("tune") / "log.jsonl", rows)
    log(run, 60, start=11)
    seen.follow()
    assert (seen.step, len(seen.losses), seen.losses[0]) == (60, 60, 1.0)
    assert seen.curve()["steps"] == "60"


def test_durations():
    assert [duration(s) for s in (0, 9.94, 42, 60, 185, 7800)] == [
        "0.0 s", "9.9 s", "42 s", "1 min 0 s", "3 min 5 s", "2 h 10 min",
    ]  # fmt: skip


def test_pairs_are_changed_through_the_layer(client, runs, pairs):
    id = pairs("train")[0]["id"]
    path = f"/runs/yard/review/{id}"
    dropped = client.post(path, json={"action": "drop"}, headers=HERE).json()
    assert dropped["waiting"] == 1
    assert "will be dropped" in dropped["html"]
    assert client.post(path, json={"action": "restore"}, headers=HERE).json()["counts"]["changed"] == 0
    edit = {"action": "edit", "question": "<b>Where?</b>", "answer": "Ashore.", "context": ""}
    assert "&lt;b&gt;Where?&lt;/b&gt;" in client.post(path, json=edit, headers=HERE).json()["html"]
    rows = [row["action"] for row in files.read_jsonl(runs / "yard" / "edits.jsonl")]
    assert rows == ["drop", "restore", "edit"]
    page = client.get("/runs/yard/review", params={"fate": "changed"}).text
    assert page.count('class="entry') == 1
    assert "Ashore." in page
    assert Overview(Run(runs / "yard")).state == "older"


def test_changes_that_are_refused(client, runs, pairs):
    id = pairs("train")[0]["id"]
    post = lambda path, headers=HERE, **body: client.post(path, json=body, headers=headers)  # noqa: E731
    assert post(f"/runs/yard/review/{id}", {"Origin": "http://evil.example"}, action="drop").status_code == 403
    assert post(f"/runs/yard/review/{id}", {"Origin": "null"}, action="drop").status_code == 403
    surrogate = b'{"action": "edit", "question": "\\ud800", "answer": "x"}'
    assert client.post(f"/runs/yard/review/{id}", content=surrogate, headers=HERE).status_code == 400
    assert post(f"/runs/yard/review/{id}", action="explode").status_code == 400
    assert post(f"/runs/yard/review/{id}", action="edit", question=" ", answer="x").status_code == 400
    assert post("/runs/yard/review/0123", action="drop").status_code == 400
    assert post("/runs/none/review/0123", action="drop").status_code == 404
    with Run(runs / "yard").lock():
        busy = post(f"/runs/yard/review/{id}", action="drop")
        assert busy.status_code == 409
        assert "under way" in busy.json()["error"]["message"]
    assert not (runs / "yard" / "edits.jsonl").exists()


def test_pages_and_filters_of_the_pairs(client, pairs):
    train, held_out = pairs("train"), pairs("held_out")
    page = client.get("/runs/yard/review").text
    assert page.count('class="entry') == len(train) + len(held_out) + len(pairs("dropped"))
    assert client.get("/runs/yard/review", params={"fate": "held_out"}).text.count('class="entry') == len(held_out)
    assert "No pair fits" in client.get("/runs/yard/review", params={"page": 999}).text
    assert "No pair fits" in client.get("/runs/yard/review", params={"text": "<script>"}).text
    assert client.get("/runs/yard/review", params={"fate": "wrong"}).status_code == 400
    assert client.get("/runs/yard/review", params={"page": 10**30}).status_code == 400
