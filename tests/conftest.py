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


STREET = [
    f"In the street of red doors house {i} is blue, as everybody knows.\n\nWhich colour has house number {i}?"
    for i in range(60)
]


def make_t5(folder: Path, texts: list[str] = STREET, **sizes: Any) -> Path:
    """A small T5 with random weights and a SentencePiece vocabulary trained on the texts."""
    import io

    import sentencepiece
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    model = io.BytesIO()
    marks = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=120,
        hard_vocab_limit=False,
        minloglevel=2,
        **marks,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokenizer = T5Tokenizer.from_pretrained(folder, extra_ids=0, model_max_length=128)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0, **sizes}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **shape, **ids)).save_pretrained(folder)
    return folder


def make_bert(folder: Path, texts: list[str] = STREET) -> Path:
    """A small BERT encoder with random weights and a WordPiece vocabulary trained on the texts."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(texts, vocab_size=200, show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    pieces.save_model(str(folder))
    tokenizer = BertTokenizer.from_pretrained(folder, model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    # frozen random embeddings near zero could not be learned over
    drop = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.2}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **shape, **drop)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def t5(tmp_path_factory) -> Path:
    """The folder of a small T5."""
    return make_t5(tmp_path_factory.mktemp("models") / "small-t5")


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> Path:
    """The folder of a small BERT without a head."""
    return make_bert(tmp_path_factory.mktemp("models") / "small-bert")
