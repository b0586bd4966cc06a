"""A real server: the embedded model as GGUF, served by a process of its own on a free port."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from safetensors.torch import load_file, save_file

import ozfig
from ozfig.web import render

SYSTEM = "You are a helpful assistant."
QUESTIONS = ["What is water?", "Who was Ada <Lovelace>?"]
CHROMIUM = render.program()
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
END = 2  # the tokenizer's </s>
PROGRAM = """
import sys
from ozfig.recipe import Recipe
from ozfig.recipes import parse
from ozfig.serve.app import serve
from ozfig.types import ModelRef
gguf, database, host, system, *questions = sys.argv[1:]
model = ModelRef("gguf", gguf, "pebble", sha256="ab" * 32, quantisation="F16")
values = {"system": system, "serve": {"max_tokens": 700, "threads": 1, "web": {"prompt": False}}}
values["gather"] = {"sources": [{"kind": "documents", "path": "."}]}
serve([model], parse(Recipe, values, "test"), host, 0, database, questions)
"""


@dataclass
class Served:
    url: str
    process: subprocess.Popen
    database: Path

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def gguf(tmp_path_factory):
    """The embedded model, converted once, without a voice for its end marker: tests need answers that go on."""
    folder = tmp_path_factory.mktemp("model") / "pebble"
    shutil.copytree(Path(ozfig.__file__).parent / "models" / "pebble", folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"][END] = 0  # tied to the output: the marker's score is 0, words' are above
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder.with_suffix(".gguf")
    command = [sys.executable, "-m", "convert_hf_to_gguf", str(folder), "--outfile", str(path), "--outtype", "f16"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return path


def launch(gguf, database, log, host="127.0.0.1", **environment):
    """Start a server and wait until its model answers."""
    command = [sys.executable, "-c", PROGRAM, str(gguf), str(database), host, SYSTEM, *QUESTIONS]
    return started(command, database, log, environment)


def started(command, database, log, environment=None):
    """A server that a command starts and whose model answers."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out, env={**os.environ, **(environment or {})})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        announced = re.search(r"chat\s+http://\S+:(\d+)/", log.read_text())
        if announced:
            url = f"http://127.0.0.1:{announced[1]}"
            try:
                if httpx.get(url + "/ready").status_code == 200:
                    return Served(url, process, Path(database))
            except httpx.TransportError:
                pass
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def served(gguf, tmp_path_factory):
    """One server for every test that does not break it."""
    folder = tmp_path_factory.mktemp("served")
    server = launch(gguf, folder / "chat.db", folder / "log")
    yield server
    server.process.terminate()
    assert server.process.wait(20) is not None


@pytest.fixture
def web(served):
    """An HTTP client of the served page."""
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def several(gguf, tmp_path_factory):
    """A server with two models, switches and a stand-in for transcription (`pages_program`)."""
    folder = tmp_path_factory.mktemp("several")
    program = str(Path(__file__).with_name("pages_program.py"))
    command = [sys.executable, program, str(gguf), str(folder / "chat.db"), *QUESTIONS]
    server = started(command, folder / "chat.db", folder / "log")
    yield server
    server.process.terminate()
    assert server.process.wait(20) is not None


@pytest.fixture(scope="module")
def browser():
    """A Chromium with a microphone that beeps."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: render)")
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*render.switches(), *MICROPHONE])
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser):
    """Opens pages of a server; the test fails when one logs an error or asks another host."""
    contexts, bad = [], []

    def open_one(server, **options):
        context = browser.new_context(
            base_url=server.url, permissions=["clipboard-read", "clipboard-write", "microphone"], **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: bad.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: bad.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((server.url, "blob:")) else bad.append(asked.url))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert bad == []
