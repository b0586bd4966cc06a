"""Crawling a site whose server takes 75 ms a page: ozfig against one request after another.

    python -m benchmarks.crawl [FOLDER] [--json]

FOLDER holds the site's files; the example site by default. The other side is what a script would do:
httpx, one page at a time, links by selectolax, text by trafilatura.
"""

import json
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import httpx
import trafilatura
from selectolax.lexbor import LexborHTMLParser

from ozfig.gather.website import crawl

LATENCY = 0.075


class SlowHandler(SimpleHTTPRequestHandler):
    """A server that thinks before it answers."""

    def do_GET(self):
        time.sleep(LATENCY)
        super().do_GET()

    def log_message(self, *args):
        pass


def one_by_one(start: str) -> int:
    """Pages read by a plain loop."""
    waiting, seen, pages = [start], {start}, 0
    with httpx.Client() as client:
        while waiting:
            reply = client.get(waiting.pop(), follow_redirects=True)
            if reply.is_error or "html" not in reply.headers.get("content-type", ""):
                continue
            trafilatura.extract(reply.text, output_format="markdown")
            pages += 1
            for node in LexborHTMLParser(reply.text).css("a[href]"):
                url = urldefrag(urljoin(str(reply.url), node.attributes["href"]))[0]
                if url.startswith(start) and url not in seen:
                    seen.add(url)
                    waiting.append(url)
    return pages


def main() -> None:
    folder = next((a for a in sys.argv[1:] if not a.startswith("-")), str(Path(__file__).parents[1] / "examples/site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    start = f"http://127.0.0.1:{server.server_address[1]}/"
    rows = []
    for name, read in (
        ("one by one", one_by_one),
        ("ozfig", lambda url: len(crawl(url, allow_private=True, render="never"))),
    ):
        began, used = time.perf_counter(), time.process_time()
        pages = read(start)
        seconds = time.perf_counter() - began
        cpu = time.process_time() - used
        row = {
            "name": name,
            "pages": pages,
            "seconds": seconds,
            "pages_per_second": pages / seconds,
            "cpu_seconds": cpu,
        }
        rows.append(row)
    server.shutdown()
    if "--json" in sys.argv:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        speed = f"{row['pages_per_second']:>8.1f} pages/s {row['cpu_seconds']:>6.2f} CPU-s"
        print(f"{row['name']:<12}{row['pages']:>5} pages {speed}")


if __name__ == "__main__":
    main()
