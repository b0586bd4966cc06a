import csv
import gzip
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Rows = list[dict[str, Any]]


def as_csv(rows: Rows, delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)), delimiter=delimiter)
    writer.writeheader()
    for row in rows:  # what a table cannot hold stands in it as JSON
        writer.writerow({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()})
    return out.getvalue().encode()


def as_parquet(rows: Rows) -> bytes:
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


def as_jsonl(rows: Rows) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


WRITERS = {
    "a.csv": as_csv,
    "marked.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "semicolons.csv": lambda rows: as_csv(rows, ";"),
    "a.csv.gz": lambda rows: gzip.compress(as_csv(rows), 1),
    "a.tsv": lambda rows: as_csv(rows, "\t"),
    "a.json": lambda rows: json.dumps(rows).encode(),
    "inside.json": lambda rows: json.dumps({"version": 1, "names": ["x"], "rows": rows, "end": {"a": [1]}}).encode(),
    "plain.json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "a.json.gz": lambda rows: gzip.compress(json.dumps(rows).encode(), 1),
    "a.jsonl": as_jsonl,
    "a.v2.jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows), 1),
    "a.parquet": as_parquet,
}


@pytest.fixture
def write(tmp_path):
    """A function that writes rows, text or bytes into a file of a name and gives its path."""

    def one(name: str, content: Rows | str | bytes) -> Path:
        path = tmp_path / name
        data = WRITERS[name](content) if isinstance(content, list) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return one


class Hub:
    """A hub with the data set `yard/faq`; `yard/closed` is gated, and at `yard/lost` it answers as no hub would."""

    def __init__(self, rows: bytes) -> None:
        commit = "c" * 40

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                headers, body = {}, b""
                if "yard/lost" in path:
                    status = 404
                elif "yard/closed" in path and "letmein" not in self.headers.get("Authorization", ""):
                    status, headers = 403, {"X-Error-Code": "GatedRepo"}
                elif "yard/none" in path:
                    status, headers = 401, {"X-Error-Code": "RepoNotFound"}
                elif path.endswith("/train.jsonl"):
                    status, headers, body = 200, {"ETag": '"x"', "X-Repo-Commit": commit}, rows
                elif f"/tree/{commit}" in path and not path.endswith("/data"):
                    file = {"type": "file", "path": "train.jsonl", "size": len(rows), "oid": "b" * 40}
                    status, body = 200, json.dumps([file]).encode()
                elif path.startswith("/api/datasets/") and "/tree/" not in path:
                    name = "/".join(path.split("/")[3:5])
                    found = {"id": name, "sha": commit, "siblings": [{"rfilename": "train.jsonl"}], "tags": []}
                    status, body = 200, json.dumps(found).encode()
                else:
                    status, headers = 404, {"X-Error-Code": "EntryNotFound"}
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def hub() -> Iterator[Hub]:
    running = Hub(as_jsonl([{"question": f"q{i}", "answer": f"a{i}"} for i in range(5)] + [{"question": "no answer"}]))
    yield running
    running.server.shutdown()
    running.server.server_close()
