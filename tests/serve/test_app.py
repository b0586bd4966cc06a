"""Start, health, readiness, documentation, and what a user gets wrong."""

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from ozfig.errors import UserError
from ozfig.serve.app import create_app, serve
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.pages import by_day
from ozfig.serve.settings import Settings
from ozfig.store.database import Store
from ozfig.types import ModelRef

from .conftest import launch


def test_health_and_ready(web):
    assert web.get("/health").json() == {"status": "ok", "model": "pebble", "loaded": True, "doing": ""}
    assert web.get("/ready").status_code == 200


def test_while_the_model_loads_and_when_it_cannot(tmp_path):
    go = threading.Event()

    @contextmanager
    def slow(told):
        go.wait(20)
        raise UserError("weights.gguf: llama.cpp cannot load it")
        yield

    failed = threading.Event()
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    backend = Backend(ModelRef("gguf", str(tmp_path / "a.gguf"), "a"), slow, on_failure=failed.set)
    store = Store.open(str(tmp_path / "chat.db"))
    with TestClient(create_app(Models([backend], patience=0), Settings(), store), base_url="http://localhost") as web:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        for reply in (web.post("/v1/chat/completions", json=body), web.get("/prompt/hi"), web.get("/ready")):
            assert reply.status_code == 503
            assert int(reply.headers["retry-after"]) > 0
            assert reply.json()["error"]["code"] == "model_loading"
        assert web.get("/health").json() == {"status": "loading", "model": "a", "loaded": False, "doing": ""}
        assert 'data-model="loading"' in web.get("/").text
        assert web.post("/chat", json={"content": "hi"}).status_code == 503
        go.set()
        assert failed.wait(20)
        assert web.get("/health").status_code == 503
        assert web.get("/ready").json()["error"]["code"] == "model_failed"
    store.close()


def test_the_page_lists_the_example_questions_escaped(web):
    page = web.get("/").text
    assert "What is water?" in page
    assert "Who was Ada &lt;Lovelace&gt;?" in page


def test_documentation_is_served_from_here(web):
    page = web.get("/docs").text
    assert "https://" not in page
    for path in ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"):
        assert web.get(f"/static/vendor/swagger-ui/{path}").status_code == 200
    paths = web.get("/openapi.json").json()["paths"]
    asked = ("models", "models/{name}", "chat/completions", "completions", "embeddings", "audio/transcriptions")
    assert set(paths) == {f"/v1/{path}" for path in asked} | {"/prompt/{query}", "/health", "/ready", "/metrics"}


def test_what_is_not_a_model(tmp_path):
    file = tmp_path / "a.gguf"
    with pytest.raises(UserError, match="no such file"):
        serve([ModelRef("gguf", str(file), "a")], database=str(tmp_path / "chat.db"))
    file.write_text("text")
    with pytest.raises(UserError, match="not a GGUF file"):
        serve([ModelRef("gguf", str(file), "a")], database=str(tmp_path / "chat.db"))


def test_a_busy_port_is_one_line(gguf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port}.*--port"):
            serve([ModelRef("gguf", str(gguf), "a")], port=port, database=str(tmp_path / "chat.db"))


def test_a_port_that_is_none_is_one_line(gguf, tmp_path):
    with pytest.raises(UserError, match=r"127\.0\.0\.1:99999: port must be 0-65535; choose another with --port"):
        serve([ModelRef("gguf", str(gguf), "a")], port=99999, database=str(tmp_path / "chat.db"))


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("/runs/none/page/report", 404), ("/chat/none/export?format=x", 400)]
)
def test_a_person_at_a_wrong_address_sees_a_page(web, path, status):
    page = web.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert '<a href="/">' in page.text
    assert web.get(path).json()["error"]["message"]
    assert "&lt;b&gt;" in web.get("/<b>", headers=BROWSER).text


@pytest.mark.parametrize("path", ["/v1/nope", "/v1/models/none", "/prompt/x?model=none"])
def test_the_api_answers_a_browser_in_json_too(web, path):
    assert web.get(path, headers=BROWSER).json()["error"]["message"]


def test_a_file_that_llama_cpp_refuses_ends_the_command(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(Exception, match=r"broken\.gguf"):
        serve([ModelRef("gguf", str(broken), "a")], port=0, database=str(tmp_path / "chat.db"))


def test_ctrl_c_ends_quietly(gguf, tmp_path):
    server = launch(gguf, tmp_path / "chat.db", tmp_path / "log")
    began = time.monotonic()
    os.kill(server.process.pid, signal.SIGINT)
    assert server.process.wait(20) == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_conversations_under_their_days():
    today = datetime(2026, 5, 20, 12)
    rows = [
        SimpleNamespace(updated_at=when)
        for when in (today, datetime(2026, 5, 19, 12), datetime(2026, 5, 15, 12), datetime(2026, 1, 1))
    ]
    assert [(name, len(group)) for name, group in by_day(rows, today)] == [
        ("Today", 1),
        ("Yesterday", 1),
        ("This week", 1),
        ("Earlier", 1),
    ]
