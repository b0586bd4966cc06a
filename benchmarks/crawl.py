"""Crawling sites whose server takes 75 ms an answer: ozfig, 8 at once, against one request after another.

    python -m benchmarks.crawl [FOLDER ...] [--json]

FOLDER holds a site's files; without one, every site of the data folder is crawled (OZFIG_DATA, or shared/data
beside the checkout), else the example site. The other side is what a script would do: requests, one page at a
time over one connection, links and text by Beautiful Soup with html.parser. Both sides run in a process of their
own that is warm (everything imported), the server in a third; CPU seconds are those of the crawling process.
`pages` are HTML pages answered with 200, `documents` what is left of them as text, each once.
"""

import json
import os
import subprocess
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urldefrag, urljoin

LATENCY = 0.075
ROOT = Path(__file__).parents[1]


class SlowHandler(SimpleHTTPRequestHandler):
    """A server that thinks before it answers, and keeps connections open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        time.sleep(LATENCY)
        super().do_GET()

    def log_message(self, *args):
        pass


def serve(folder: str) -> None:
    """Serve until the process is ended; the first line of output is the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowHandler, directory=folder))
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


def one_by_one(start: str) -> tuple[int, int]:
    """Pages read by a plain loop."""
    import requests
    from bs4 import BeautifulSoup

    waiting, seen, pages = [start], {start}, 0
    with requests.Session() as client:
        client.trust_env = False
        while waiting:
            reply = client.get(waiting.pop(0), timeout=20)
            if not reply.ok or "html" not in reply.headers.get("content-type", ""):
                continue
            soup = BeautifulSoup(reply.content, "html.parser")
            links = [a["href"] for a in soup.find_all("a", href=True)]
            soup.get_text(" ", strip=True)
            pages += 1
            for link in links:
                url = urldefrag(urljoin(reply.url, link))[0]
                if url.startswith(start) and url not in seen:
                    seen.add(url)
                    waiting.append(url)
    return pages, pages


def ozfig(start: str) -> tuple[int, int]:
    """Pages and documents of ozfig's crawl with its defaults, but without a limit of pages."""
    from ozfig.gather import website
    from ozfig.recipe import Website

    section = Website(url=start, allow_private=True, render="never", max_pages=100_000)
    gathered = website.gather(section, None)
    return gathered.counts["fetched"], len(gathered.documents)


SIDES = {"one_by_one": one_by_one, "ozfig": ozfig}


def measure(name: str, start: str, warm_up: str) -> None:
    """Print one side's figures as JSON; a small crawl before imports what is needed."""
    SIDES[name](warm_up)
    began, used = time.perf_counter(), time.process_time()
    pages, documents = SIDES[name](start)
    seconds = time.perf_counter() - began
    row = {"pages": pages, "documents": documents, "seconds": seconds, "cpu_seconds": time.process_time() - used}
    print(json.dumps({**row, "pages_per_second": pages / seconds}))


def run(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.crawl", *arguments]


def compare(folder: Path) -> dict:
    """Both sides over one site, one after the other."""
    example = str(ROOT / "examples" / "site")
    servers = [subprocess.Popen(run("--serve", str(f)), stdout=subprocess.PIPE, text=True) for f in (folder, example)]
    try:
        ports = [server.stdout.readline().strip() for server in servers]
        start, warm_up = (f"http://127.0.0.1:{port}/" for port in ports)
        rows = {}
        for name in SIDES:
            done = subprocess.run(run("--side", name, start, warm_up), stdout=subprocess.PIPE, text=True, check=True)
            rows[name] = json.loads(done.stdout)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    ratio = rows["one_by_one"]["seconds"] / rows["ozfig"]["seconds"]
    return {"site": folder.name, "latency": LATENCY, **rows, "times_as_fast": ratio}


def sites() -> list[Path]:
    data = Path(os.environ.get("OZFIG_DATA", ROOT.parent / "shared" / "data")) / "sites"
    return sorted(p for p in data.iterdir() if p.is_dir()) if data.is_dir() else [ROOT / "examples" / "site"]


def main() -> None:
    folders = [Path(a) for a in sys.argv[1:] if not a.startswith("-")] or sites()
    rows = []
    for folder in folders:
        rows.append(compare(folder))
        if "--json" in sys.argv:
            continue
        for name in SIDES:
            row = rows[-1][name]
            speed = f"{row['seconds']:>7.2f} s {row['pages_per_second']:>7.1f} pages/s {row['cpu_seconds']:>6.2f} CPU-s"
            print(f"{folder.name:<24}{name:<12}{row['pages']:>5} pages {speed}")
        print(f"{'':<24}{rows[-1]['times_as_fast']:.1f} times as fast", flush=True)
    if "--json" in sys.argv:
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    elif sys.argv[1:2] == ["--side"]:
        measure(*sys.argv[2:5])
    else:
        main()
