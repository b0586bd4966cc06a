"""A second look at a site: after a kill, with another recipe, with --refresh."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ozfig.errors import OutsideError
from ozfig.gather import SourceContext, website
from ozfig.recipe import Website

TEXT = "Words about the subject of this very page, enough of them to count as a page with text. " * 3


def body(name, *links):
    anchors = " ".join(f'<a href="{link}">to {link}</a>' for link in links)
    return f"<html><body><nav>{anchors}</nav><main><h1>{name}</h1><p>{name}: {TEXT}</p></main></body></html>"


class Tagged:
    """A server that knows which version of a page a client has."""

    def __init__(self):
        self.pages: dict[str, str] = {}
        self.asked: list[tuple[str, int]] = []
        self.by_date = False
        self.status = 0
        self.wait = 0.0
        tagged = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                time.sleep(tagged.wait)
                page = tagged.pages.get(self.path)
                tag = f'"{zlib.crc32((page or "").encode())}"'
                name, value, sent = "ETag", tag, self.headers["If-None-Match"]
                if tagged.by_date:
                    name, value, sent = "Last-Modified", f"date of {tag}", self.headers["If-Modified-Since"]
                status = tagged.status or (404 if page is None else 304 if sent == value else 200)
                tagged.asked.append((self.path, status))
                data = page.encode() if status == 200 else b""
                self.send_response(status)
                self.send_header(name, value)
                self.send_header("Content-Type", "text/html")
                if status != 304:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

            def handle_error(self, request, address):
                """Clients are killed here."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def of(self, status):
        return sorted(path for path, answered in self.asked if answered == status)


@pytest.fixture
def yard():
    running = Tagged()
    running.pages = {"/": body("Start", *(f"/p{i}" for i in range(10)))}
    for i in range(10):
        running.pages[f"/p{i}"] = body(f"Page {i}", f"/p{i}/deep", "/")
        running.pages[f"/p{i}/deep"] = body(f"Deep {i}")
    yield running
    running.server.shutdown()
    running.server.server_close()


def gather(yard, folder, refresh=False, **options):
    options = {"render": "never", "retries": 0, **options}
    section = Website(url="http://yard.example/", connect_to=yard.address, **options)
    return website.gather(section, SourceContext(folder, refresh))


def uris(gathered):
    return [d.uri.removeprefix("http://yard.example") for d in gathered.documents]


def test_what_does_not_change_the_pages_throws_nothing_away(yard, tmp_path):
    first = gather(yard, tmp_path, max_pages=5)
    before = set(yard.asked)
    yard.asked.clear()
    manners = {"concurrency": 2, "delay": 0.001, "timeout": 5, "retries": 1}
    assert gather(yard, tmp_path, max_pages=5, **manners).documents == first.documents
    assert yard.asked == []
    assert len(gather(yard, tmp_path, max_pages=100).documents) == 21
    assert not before & set(yard.asked)
    yard.asked.clear()
    assert len(gather(yard, tmp_path, depth=1).documents) == 11
    assert yard.of(200)  # other pages are reached: a crawl of its own
    assert len(list(tmp_path.glob("*.sqlite"))) == 2


def test_a_folder_whose_files_changed_is_read_again(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text(body("Old"))
    section = Website(url="http://yard.example/", serve=str(site), render="never")
    assert website.gather(section, SourceContext(tmp_path)).documents[0].title == "Old"
    (site / "index.html").write_text(body("New"))
    assert website.gather(section, SourceContext(tmp_path)).documents[0].title == "New"


@pytest.mark.parametrize("by_date", [False, True])
def test_refresh_fetches_what_changed_and_follows_what_is_new(yard, tmp_path, by_date):
    yard.by_date = by_date
    first = gather(yard, tmp_path)
    assert len(first.documents) == 21
    yard.asked.clear()
    yard.pages["/p1"] = body("Page 1 anew", "/p1/deep", "/fresh")
    yard.pages["/fresh"] = body("Fresh")
    del yard.pages["/p2"]
    del yard.pages["/p3/deep"]
    second = gather(yard, tmp_path, refresh=True)
    assert yard.of(200) == ["/fresh", "/p1"]
    assert len(yard.of(304)) == 18
    # /p2/deep is there, but nothing leads to it any more
    assert set(uris(first)) - set(uris(second)) == {"/p2", "/p2/deep", "/p3/deep"}
    assert set(uris(second)) - set(uris(first)) == {"/fresh"}
    assert next(d.title for d in second.documents if d.uri.endswith("/p1")) == "Page 1 anew"
    assert second.counts["vanished"] == 2
    assert second.failed == [f"http://yard.example/{path}: vanished (404)" for path in ("p2", "p3/deep")]
    yard.asked.clear()
    assert gather(yard, tmp_path).documents == second.documents
    assert yard.asked == []


def test_refresh_gives_what_a_new_crawl_would(yard, tmp_path):
    gather(yard, tmp_path / "a", max_pages=8)
    yard.pages["/"] = body("Start", *(f"/p{i}" for i in range(0, 10, 2)), "/a-new-one")
    yard.pages["/a-new-one"] = body("New")
    refreshed = gather(yard, tmp_path / "a", refresh=True, max_pages=8)
    assert refreshed.documents == gather(yard, tmp_path / "b", max_pages=8).documents


def test_a_page_that_fails_at_a_refresh_is_kept_and_named(yard, tmp_path):
    first = gather(yard, tmp_path)
    kept = yard.pages["/p4"]
    yard.pages["/p4"] = body("Never seen")
    handler, real = yard.server.RequestHandlerClass, yard.server.RequestHandlerClass.do_GET

    def do_GET(self):
        if self.path == "/p4":
            self.send_error(500)
        else:
            real(self)

    handler.do_GET = do_GET
    second = gather(yard, tmp_path, refresh=True)
    assert second.documents == first.documents
    assert second.failed == ["http://yard.example/p4: 500; the page fetched before is kept"]
    handler.do_GET, yard.pages["/p4"] = real, kept


def test_what_gave_no_answer_is_asked_again_without_refresh(yard, tmp_path):
    yard.status = 503
    with pytest.raises(OutsideError):
        gather(yard, tmp_path)
    yard.status = 0
    assert len(gather(yard, tmp_path).documents) == 21


def test_a_start_that_was_missing_is_asked_again(yard, tmp_path):
    start = yard.pages.pop("/")
    with pytest.raises(website.UserError, match="404"):
        gather(yard, tmp_path)
    yard.pages["/"] = start
    assert len(gather(yard, tmp_path).documents) == 21


CHILD = """
import sys
from pathlib import Path
from ozfig.gather import SourceContext, website
from ozfig.recipe import Website
section = Website(url="http://yard.example/", connect_to=sys.argv[1], render="never", concurrency=4)
website.gather(section, SourceContext(Path(sys.argv[2]), sys.argv[3] == "refresh"))
"""


def killed_until_done(yard, folder, mode, seed):
    """Run the crawl and kill it again and again, sooner and later; every request that was made for nothing."""
    random.seed(seed)
    kills, repeated = 0, []
    while True:
        known = committed(folder, mode)
        count = len(yard.asked)
        child = subprocess.Popen([sys.executable, "-c", CHILD, yard.address, str(folder), mode])
        limit = count + random.randint(1, 3) if kills < 4 else 10**6
        while len(yard.asked) < limit and child.poll() is None:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.08))
        is_done = child.poll() == 0
        child.send_signal(signal.SIGKILL)
        child.wait()
        time.sleep(0.1)
        repeated += [path for path, _ in yard.asked[count:] if path in known]
        if is_done:
            return kills, repeated
        kills += 1


def committed(folder, mode):
    """The paths that the frontier holds, of this round."""
    found = set()
    for path in folder.glob("*.sqlite"):
        with sqlite3.connect(path) as db:
            rows = db.execute("SELECT url FROM answers WHERE round = ?", (2 if mode == "refresh" else 1,))
            found |= {url.removeprefix("http://yard.example") for (url,) in rows}
    return found


def test_a_crawl_that_is_killed_again_and_again_repeats_nothing_and_loses_nothing(yard, tmp_path):
    whole = gather(yard, tmp_path / "whole")
    yard.asked.clear()
    yard.wait = 0.06
    folder = tmp_path / "killed"
    folder.mkdir()
    kills, repeated = killed_until_done(yard, folder, "crawl", 1)
    assert kills == 4
    assert repeated == []
    # at most what was under way at a kill is asked twice: one request for each of four at once
    assert len(yard.asked) <= 23 + 4 * kills
    count = len(yard.asked)
    assert gather(yard, folder, retries=3).documents == whole.documents
    assert len(yard.asked) == count


def test_a_refresh_that_is_killed_goes_on_where_it_was(yard, tmp_path):
    gather(yard, tmp_path)
    yard.asked.clear()
    yard.wait = 0.06
    for i in range(5):
        yard.pages[f"/p{i}"] = body(f"Page {i} changed", f"/p{i}/deep", "/")
    kills, repeated = killed_until_done(yard, tmp_path, "refresh", 2)
    assert kills == 4
    assert repeated == []
    asked = dict(yard.asked)
    assert {path for path in yard.pages if path not in asked} == set()
    yard.asked.clear()
    second = gather(yard, tmp_path)
    assert yard.asked == []
    assert sum("changed" in d.title for d in second.documents) == 5
