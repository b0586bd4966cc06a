"""Fixtures that more than one folder of tests needs."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
Answers = dict[str, tuple[int, dict[str, str], bytes]]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("OZFIG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found: {folder} (set OZFIG_DATA)")
    return folder


@pytest.fixture(scope="session")
def pebble() -> Path:
    """The folder of the embedded base model."""
    return ROOT / "ozfig" / "models" / "pebble"


class Site:
    """A small HTTP server whose answers a test writes down, by path; every request is noted as (path, Host header)."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[str], None] = lambda path: None
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Host"]))
                site.before(self.path)
                status, headers, body = site.answers.get(self.path, (404, {"Content-Type": "text/html"}, b"no"))
                with contextlib.suppress(ConnectionError):  # who asked may be gone
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64  # eight connections at once would overrun the usual five

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"

    def page(self, path: str, body: str, kind: str = "text/html; charset=utf-8", status: int = 200) -> None:
        self.answers[path] = (status, {"Content-Type": kind}, body.encode())

    def redirect(self, path: str, target: str) -> None:
        self.answers[path] = (301, {"Location": target}, b"")

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def site() -> Iterator[Site]:
    """A running site with no pages yet."""
    running = Site()
    yield running
    running.server.shutdown()
    running.server.server_close()


class ChatServer:
    """A small server that speaks OpenAI's protocol: a test says how it answers, every request is noted."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.models = ["teacher"]
        self.answer: Callable[[str, dict[str, Any]], Any] = lambda path, body: "Hello."
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                rows = [{"id": name, "object": "model"} for name in server.models]
                self._send(*((200, {}, {"data": rows}) if self.path == "/v1/models" else (404, {}, {})))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                path = self.path.removeprefix("/v1")
                server.asked.append((path, body, {k.lower(): v for k, v in self.headers.items()}))
                found = server.answer(path, body)
                self._send(*((200, {}, said(path, found)) if isinstance(found, str) else found))

            def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                with contextlib.suppress(ConnectionError):  # who asked may be gone
                    self.send_response(status)
                    for name, value in ({"Content-Type": "application/json"} | headers).items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        def said(path: str, text: str) -> dict[str, Any]:
            choice = {"text": text} if path == "/completions" else {"message": {"role": "assistant", "content": text}}
            usage = {"prompt_tokens": 100, "completion_tokens": 20}
            return {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage}

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A running server that says hello to everything."""
    running = ChatServer()
    yield running
    running.server.shutdown()
    running.server.server_close()
