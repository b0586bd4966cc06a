"""Publishing to a hub of our own on loopback, which speaks the requests that the official client makes."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from ozfig import files
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError
from ozfig.export import publish
from ozfig.recipe import Recipe
from ozfig.runs import Run
from ozfig.types import Manifest

TOKEN = "hf_of_the_test"


class Hub(ThreadingHTTPServer):
    """me/model may be written with TOKEN; what is committed is kept by path."""

    def __init__(self) -> None:
        self.committed: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.send(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            asked = self.server.made = json.loads(body)
            if asked.get("organization") == "theirs":
                return self.send(403, {"error": "You don't have the rights"})
            if asked.get("organization") == "nobody":
                return self.send(404, {"error": "Not found"})
            return self.send(200, {"url": f"{self.server.url}/me/model"})
        if self.path == "/api/models/me/model/preupload/main":
            found = [
                {"path": f["path"], "uploadMode": "lfs" if f["size"] > 100_000 else "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self.send(200, {"files": found})
        if self.path == "/me/model.git/info/lfs/objects/batch":
            objects = [
                {**o, "actions": {"upload": {"href": f"{self.server.url}/store/{o['oid']}"}}}
                for o in json.loads(body)["objects"]
            ]
            return self.send(200, {"transfer": "basic", "objects": objects})
        if self.path == "/api/spaces/me/chat/preupload/main":
            found = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            return self.send(200, {"files": found})
        if self.path in {"/api/models/me/model/commit/main", "/api/spaces/me/chat/commit/main"}:
            return self.commit([json.loads(line) for line in body.splitlines()])
        if self.path == "/api/validate-yaml":
            yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            return self.send(200, {"errors": [], "warnings": []})
        return self.send(404, {"error": f"no such path: {self.path}"})

    def do_PUT(self) -> None:
        oid = self.path.removeprefix("/store/")
        self.server.stored[oid] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send(200, {})

    def commit(self, rows) -> None:
        for row in rows:
            value = row["value"]
            if row["key"] == "file":
                self.server.committed[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                self.server.committed[value["path"]] = self.server.stored[value["oid"]]
        address = f"{self.server.url}/me/model/commit/{'c' * 40}"
        self.send(200, {"success": True, "commitUrl": address, "commitOid": "c" * 40, "hookOutput": ""})

    def send(self, status: int, body) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub():
    server = Hub()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run(exported, adapter, tmp_path_factory) -> Run:
    """A run that was exported, with links to what the stage of this folder's tests has made."""
    run = Run(tmp_path_factory.mktemp("runs") / "site")
    run.freeze(
        Recipe.model_validate(
            {"name": "site", "gather": {"sources": [{"kind": "website", "url": "http://x.example/"}]}}
        )
    )
    folder, outcome = exported
    run.stage("tune").mkdir()
    (run.stage("tune") / "adapter").symlink_to(adapter.path)
    run.stage("export").symlink_to(folder)
    run.write_models({"base": resolve("pebble"), "tuned": adapter, **outcome.models})
    hashes = {name: files.sha256_path(folder / name) for name in outcome.outputs}
    run.write_manifest(Manifest("export", "", "", {}, hashes, outcome.metrics, {}, 1.0, 1.0))
    yield run
    (folder / "manifest.json").unlink()


def call(run: Run, *args: str, hub: str = "http://127.0.0.1:9", token: str = TOKEN):
    """The verb in a process of its own: the client reads its settings once, when it is imported."""
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
    own = {"HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1", "COLUMNS": "300", **({"HF_TOKEN": token} if token else {})}
    words = [sys.executable, "-m", "ozfig.cli", "publish", str(run.folder), *args]
    return subprocess.run(words, env=clean | own, capture_output=True, text=True, check=False, cwd=run.folder)


def test_a_dry_run_lists_the_files_and_asks_nobody(run, hub):
    done = call(run, "--to", "me/model", "--json", hub=hub.url, token="")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    names = {row["path"] for row in found["files"]}
    assert {"README.md", "Modelfile", "site.Q4_K_M.gguf", "adapter_config.json", "tokenizer.json"} <= names
    assert found["uploaded"] is None
    assert Path(found["card"]) == run.folder / "publish" / "README.md"
    assert hub.asked == []


def test_what_is_uploaded_is_what_lies_in_the_run(run, hub):
    done = call(run, "--to", "me/model", "--yes", "--json", hub=hub.url)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["uploaded"] == f"{hub.url}/me/model"
    assert {row["path"]: row["bytes"] for row in found["files"]} == {n: len(c) for n, c in hub.committed.items()}
    expected = publish.prepare(run, "me/model").files
    for name, content in hub.committed.items():
        assert hashlib.sha256(content).hexdigest() == files.sha256_path(expected[name]), name
    assert hub.stored.keys() >= {files.sha256_path(run.stage("export") / "site.Q4_K_M.gguf")}


SPACE = ["--to", "me/model", "--space", "me/chat", "--image", "registry.example/ozfig:1"]


def test_a_space_serves_what_was_published(run, hub):
    assert call(run, *SPACE, hub=hub.url, token="").returncode == 0
    assert hub.asked == []
    done = call(run, *SPACE, "--yes", "--json", hub=hub.url)
    assert done.returncode == 0, done.stderr
    assert (hub.made["type"], hub.made["sdk"]) == ("space", "docker")
    assert set(hub.committed) == {"README.md", "Dockerfile"}
    front = yaml.safe_load(hub.committed["README.md"].decode().split("---\n")[1])
    assert (front["sdk"], front["app_port"], front["models"]) == ("docker", 8080, ["me/model"])
    docker = hub.committed["Dockerfile"].decode()
    assert docker.startswith("FROM registry.example/ozfig:1\n")
    assert "OZFIG_MODEL=me/model:Q4_K_M " in docker
    assert "OZFIG_ALLOWED_HOSTS=me-chat.hf.space" in docker


def test_a_space_without_an_image_is_one_line(run, hub):
    done = call(run, *SPACE[:4], hub=hub.url)
    assert done.returncode == 2
    assert "--image" in done.stderr


@pytest.mark.parametrize(
    ("args", "token", "words", "code"),
    [
        (["--to", "model", "--yes"], TOKEN, "not a repository's name; write user/name", 2),
        (["--to", "me/mo..del"], TOKEN, "not a repository's name", 2),
        (["--to", "me/model", "--yes"], "", "publish needs HF_TOKEN", 2),
        (["--to", "me/model", "--yes"], "hf_wrong", "the hub does not accept HF_TOKEN", 2),
        (["--to", "theirs/model", "--yes"], TOKEN, "HF_TOKEN may not write there", 2),
        (["--to", "nobody/model", "--yes"], TOKEN, "no such user or organisation", 2),
    ],
)
def test_what_cannot_be_published_is_one_line(run, hub, args, token, words, code):
    done = call(run, *args, hub=hub.url, token=token)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error")]) == 1
    assert "Traceback" not in done.stderr
    assert hub.committed == {}


def test_a_hub_that_cannot_be_reached_is_outside(run):
    done = call(run, "--to", "me/model", "--yes")
    assert done.returncode == 3, done.stderr
    assert "the hub cannot be reached" in done.stderr


def test_a_run_whose_files_were_changed_is_refused(exported, tmp_path):
    run = Run(tmp_path / "site")
    run.freeze(
        Recipe.model_validate({"name": "site", "gather": {"sources": [{"kind": "website", "url": "http://x/"}]}})
    )
    with pytest.raises(UserError, match="nothing exported"):
        publish.prepare(run, "me/model")
    run.stage("export").mkdir()
    (run.stage("export") / "site.Q8_0.gguf").write_bytes(b"other")
    run.write_manifest(Manifest("export", "", "", {}, {"site.Q8_0.gguf": "0" * 64}, {}, {}, 1.0, 1.0))
    with pytest.raises(UserError, match="changed since"):
        publish.prepare(run, "me/model")
    run.write_manifest(Manifest("export", "", "", {"adapter": "0" * 64}, {}, {}, {}, 1.0, 1.0))
    with pytest.raises(UserError, match="tuned anew"):  # it has begun: there is no adapter yet
        publish.prepare(run, "me/model")
    (run.stage("tune") / "adapter").mkdir(parents=True)
    (run.stage("tune") / "adapter" / "adapter_model.safetensors").write_bytes(b"other")
    with pytest.raises(UserError, match="tuned anew"):
        publish.prepare(run, "me/model")


def test_the_card_says_what_the_records_say(run):
    text = publish.prepare(run, "me/model").card.read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "cc-by-sa-4.0"  # pebble's own
    assert front["library_name"] == "peft"
    assert "base_model" not in front  # pebble is not the hub's
    assert "It has not been measured." in text
    assert "http://x.example/" in text
    parity = run.manifest("export").metrics["files"]["Q4_K_M"]["parity"]
    assert f"| Q4_K_M | 5.342 | {parity['kl']} |" in text
    assert "--hf-file site.Q4_K_M.gguf" in text
    assert str(run.folder) not in text
