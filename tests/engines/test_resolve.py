"""Names of models. The hub is a server of our own on loopback that speaks the requests that the client makes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ozfig import files
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError

REVISION = "c0ffee" * 6 + "c0ff"
HUB_FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights " * 100,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"pickled",
    "modeling_custom.py": b"print('code of strangers')",
    "onnx/model.safetensors": b"a second copy",
}
RESOLVE = """
import json, sys
from ozfig.engines.resolve import resolve
from ozfig.errors import OzfigError
try:
    print(json.dumps(resolve(sys.argv[1]).to_row()))
except OzfigError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


class Hub(BaseHTTPRequestHandler):
    """owner/model exists, owner/gated is gated, nothing else is there."""

    def do_GET(self, body: bool = True) -> None:
        path = self.path.split("?")[0]
        name = path.partition(f"/resolve/{REVISION}/")[2]
        if path.startswith("/api/models/owner/gated"):
            return self.answer(403, b"{}", body, {"X-Error-Code": "GatedRepo"})
        if path.startswith("/api/models/owner/model/tree/"):
            rows = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in HUB_FILES.items()]
            return self.answer(200, json.dumps(rows).encode(), body)
        if path.startswith("/api/models/owner/model"):
            siblings = [{"rfilename": n} for n in HUB_FILES]
            return self.answer(
                200, json.dumps({"id": "owner/model", "sha": REVISION, "siblings": siblings}).encode(), body
            )
        if name in HUB_FILES:
            digest = hashlib.sha256(HUB_FILES[name]).hexdigest()
            return self.answer(200, HUB_FILES[name], body, {"ETag": f'"{digest}"', "X-Repo-Commit": REVISION})
        return self.answer(401, b"{}", body, {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def answer(self, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(name: str, endpoint: str, cache: Path):
    """`resolve` in a process of its own: the client reads its settings once, when it is imported."""
    own = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, name], env=clean | own, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_pebble_is_the_embedded_model(pebble):
    ref = resolve("pebble")
    assert (ref.kind, ref.name, Path(ref.path)) == ("transformers", "pebble", pebble)
    assert len(ref.sha256) == 64


def test_a_folder_is_known_by_its_content(pebble, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(pebble, folder)
    assert resolve(str(folder)).sha256 == resolve("pebble").sha256
    assert resolve(str(folder)).name == "mine"
    (folder / "README.md").write_text("a note")
    assert resolve(str(folder)).sha256 == resolve("pebble").sha256
    (folder / "chat_template.jinja").write_text("another")
    assert resolve(str(folder)).sha256 != resolve("pebble").sha256


def test_a_misspelt_name_gets_a_hint():
    with pytest.raises(UserError, match="base 'pebbel': no such model; did you mean pebble"):
        resolve("pebbel")
    with pytest.raises(UserError, match="use pebble, minilm, llama, t5, bloom, bert, a folder, or a hub id"):
        resolve("./nowhere/at/all")


def test_folders_that_are_no_model_are_refused(pebble, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        resolve(str(tmp_path))
    shutil.copyfile(pebble / "config.json", tmp_path / "config.json")
    (tmp_path / "pytest_model.bin").write_bytes(b"pickled")
    with pytest.raises(UserError, match=r"no safetensors weights.*pickled weights are not loaded"):
        resolve(str(tmp_path))


def test_a_hub_model_comes_without_code_pickles_and_copies(hub, tmp_path):
    ref = ask("owner/model", hub, tmp_path)
    folder = Path(ref["path"])
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (ref["kind"], ref["name"]) == ("transformers", "owner/model")
    assert ref["sha256"] == files.sha256_value(
        {n: hashlib.sha256(HUB_FILES[n]).hexdigest() for n in ("config.json", "model.safetensors", "tokenizer.json")}
    )


def test_unknown_and_gated_models_are_the_users_to_mend(hub, tmp_path):
    kind, line = ask("owner/nothing", hub, tmp_path)
    assert kind == "UserError"
    assert "not 'pebble', no folder of that name, and the hub has no such model" in line
    kind, line = ask("owner/gated", hub, tmp_path)
    assert kind == "UserError"
    assert "huggingface.co/owner/gated" in line
    assert "HF_TOKEN" in line


def test_a_hub_that_cannot_be_reached_is_outside(tmp_path, hub):
    kind, line = ask("owner/model", "http://127.0.0.1:9", tmp_path)
    assert kind == "OutsideError"
    assert "cannot be reached" in line
    assert "\n" not in line


def test_a_copy_on_disk_serves_when_the_hub_is_away(tmp_path, hub):
    assert ask("owner/model", "http://127.0.0.1:9", tmp_path)[0] == "OutsideError"
    online = ask("owner/model", hub, tmp_path)
    assert ask("owner/model", "http://127.0.0.1:9", tmp_path) == online


def test_local_names_load_no_client():
    code = (
        "import sys; from ozfig.engines.resolve import resolve; resolve('pebble'); "
        "print('huggingface_hub' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
