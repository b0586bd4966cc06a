"""Speech to text: the form, another server on loopback, and nothing at all."""

import asyncio
import importlib.util  # noqa: F401  (the skip condition names it)
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ozfig.recipe import Serve, Transcriber
from ozfig.serve.app import create_app
from ozfig.serve.backend import Backend
from ozfig.serve.models import Models
from ozfig.serve.multipart import Part, parse
from ozfig.serve.problems import ApiError
from ozfig.serve.replies import Replies
from ozfig.serve.settings import Settings
from ozfig.serve.speech import Speech, subtitles
from ozfig.store.database import Store
from ozfig.types import ModelRef

CLIP = bytes(range(256)) * 20 + b"\r\n--\r\n--x\r\n\r\n"


@pytest.fixture
def listener():
    """A transcription server: it says how long the clip is, and notes what it was sent."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fields = parse(body, self.headers["Content-Type"].partition("boundary=")[2])
            asked.append((self.path, self.headers.get("Authorization"), fields))
            status = 200 if fields["model"].text == "whisper-1" else 404
            data = json.dumps(
                {"text": f"{len(fields['file'].data)} bytes"} if status == 200 else {"error": {}}
            ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def ears(tmp_path):
    """A maker of clients of apps with a transcriber."""
    store = Store.open(str(tmp_path / "chat.db"))

    def make(**section):
        backend = Backend(ModelRef("gguf", str(tmp_path / "a.gguf"), "a"), lambda told: None)
        app = create_app(Models([backend]), Settings(), store, Replies(Settings(), Serve.model_validate(section)))
        return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)

    yield make
    store.close()


def test_another_server_hears_for_us(ears, listener, monkeypatch):
    url, asked = listener
    monkeypatch.setenv("VOICE_KEY", "secret")
    web = ears(transcribe={"model": url, "key_env": "VOICE_KEY"})
    client = openai.OpenAI(base_url="http://localhost/v1", api_key="none", http_client=web, max_retries=0)
    said = client.audio.transcriptions.create(model="any", file=("clip.wav", CLIP), language="en", prompt="Ada")
    assert said.text == f"{len(CLIP)} bytes"
    [(path, key, fields)] = asked
    assert (path, key) == ("/v1/audio/transcriptions", "Bearer secret")
    assert fields["file"].data == CLIP
    assert (fields["file"].filename, fields["language"].text, fields["prompt"].text) == ("clip.wav", "en", "Ada")


def test_a_server_that_refuses_or_is_gone_is_a_502(ears, listener):
    url, _ = listener
    for section in ({"model": url, "served_as": "other"}, {"model": "http://127.0.0.1:1/v1"}):
        reply = ears(transcribe=section).post("/v1/audio/transcriptions", files={"file": ("a.wav", CLIP)})
        assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_failed")


def test_what_is_refused(ears, listener):
    web = ears(transcribe={"model": listener[0]})
    path = "/v1/audio/transcriptions"
    assert web.post(path, json={}).status_code == 415
    assert web.post(path, data={"model": "a"}).status_code == 415
    assert web.post(path, files={"other": b"a"}).json()["error"]["param"] == "file"
    wrong = web.post(path, files={"file": b"a"}, data={"response_format": "xml"})
    assert wrong.json()["error"]["param"] == "response_format"
    assert web.post(path, files={"file": bytes(25_000_001)}).status_code == 413
    broken = web.post(path, content=b"--a\r\n", headers={"Content-Type": "multipart/form-data; boundary=a"})
    assert broken.status_code == 400


@pytest.mark.skipif("importlib.util.find_spec('faster_whisper')", reason="faster-whisper is installed")
def test_without_a_transcriber_there_is_one_clear_line(ears):
    reply = ears().post("/v1/audio/transcriptions", files={"file": ("a.wav", CLIP)})
    assert reply.status_code == 501
    assert "serve.transcribe" in reply.json()["error"]["message"]


@given(st.dictionaries(st.sampled_from(["file", "model", "prompt"]), st.binary(max_size=300), min_size=1))
def test_a_form_keeps_every_byte(fields):
    mark = "b" + os.urandom(16).hex()
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in fields.items()
    ]
    found = parse(b"".join(parts) + f"--{mark}--\r\n".encode(), mark)
    assert {name: part.data for name, part in found.items()} == fields


@pytest.mark.parametrize("body", [b"", b"--a", b"--a\r\n\r\nx\r\n--a--", b"--a\r\n\r\nx"])
def test_a_broken_form_is_a_400(body):
    with pytest.raises(ApiError) as caught:
        parse(body, "a")
    assert caught.value.status == 400


def test_subtitles():
    rows = [{"start": 0.0, "end": 1.5, "text": " Hello."}, {"start": 3661.25, "end": 3662.0, "text": " Bye."}]
    assert subtitles(rows, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,250 --> 01:01:02,000\nBye.\n"
    )
    assert subtitles(rows, "vtt").startswith("WEBVTT\n\n1\n00:00:00.000 --> ")


def test_clips_that_nobody_waits_for_any_more_are_heard_one_at_a_time(monkeypatch):
    speech, running, most = Speech(Transcriber(), 8), [], []

    def hear(fields):
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return [], "en"

    monkeypatch.setattr(speech, "_hear", hear)

    async def run():
        for _ in range(4):
            asked = asyncio.create_task(speech.transcribe({"file": Part(b"x")}))
            await asyncio.sleep(0.01)
            asked.cancel()
        assert speech._turnstile.inside == 4, "they keep their places"
        await asyncio.gather(*speech._works)
        assert speech._turnstile.inside == 0

    asyncio.run(run())
    assert most == [1] * 4
