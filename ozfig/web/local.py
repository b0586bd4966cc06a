"""A folder as a web site on loopback, for trying a crawl out with no network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ozfig.errors import UserError


class _Quiet(SimpleHTTPRequestHandler):
    """Files with their content types, index.html for folders; folders without one are not listed."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the crawl has its own bar."""

    def list_directory(self, path: Any) -> None:
        """A real site shows no list of its files."""
        self.send_error(404)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder while the block runs; yields its host:port on loopback. Raises UserError when it is no folder."""
    if not folder.is_dir():
        raise UserError(f"serve: {folder}: no such folder")
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
