"""What a crawl meets that is not a well-behaved page: each one clear line, and the crawl goes on."""

import time

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.gather import website
from ozfig.gather.website import crawl
from ozfig.recipe import Website

TEXT = "Words about the subject of this very page, enough of them to count as a page with text. " * 3
QUICK = {"render": "never", "retries": 0, "timeout": 5.0}


def body(name, *links):
    anchors = " ".join(f'<a href="{link}">to {link}</a>' for link in links)
    return f"<html><body><nav>{anchors}</nav><main><h1>{name}</h1><p>{name}: {TEXT}</p></main></body></html>"


def gather(site, **options):
    return website.gather(Website(url="http://yard.example/", connect_to=site.address, **{**QUICK, **options}), None)


def uris(gathered):
    return [d.uri.removeprefix("http://yard.example") for d in gathered.documents]


class Endless(dict):
    """Answers that are made when they are asked for."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def get(self, path, default=None):
        made = self.make(path)
        return (200, {"Content-Type": "text/html"}, made.encode()) if made else default


def test_an_endless_calendar_ends_and_is_reported(site, capsys):
    def calendar(path):
        if path == "/":
            return body("Start", "/cal?month=0", "/about")
        if path == "/about":
            return body("About")
        if path.startswith("/cal?month="):
            month = int(path.split("=")[1])
            return body(f"Month {month}", *(f"/cal?month={month * 12 + i}" for i in range(1, 13)))
        return ""

    site.answers = Endless(calendar)
    gathered = gather(site, max_pages=100)
    assert len(gathered.documents) == 52
    assert "http://yard.example/about" in [d.uri for d in gathered.documents]
    line = next(line for line in gathered.failed if "pattern" in line)
    assert line.startswith("yard.example/cal?month: 50 addresses of this pattern asked for")
    told = capsys.readouterr().err
    assert "50 addresses of this pattern asked for" in told
    assert "no page from" not in told  # what was left out is no failure
    assert gathered.counts["left_out"] > 100
    assert len([p for p in site.paths if "month" in p]) <= 75


def test_addresses_that_repeat_themselves_are_left_out(site):
    def deeper(path):
        return "" if path.endswith((".txt", ".xml")) else body(path, path.rstrip("/") + "/a/b")

    site.answers = Endless(deeper)
    gathered = gather(site, depth=50)
    assert uris(gathered) == ["/", "/a/b", "/a/b/a/b", "/a/b/a/b/a/b"]
    assert gathered.failed == ["http://yard.example/a/b/a/b/a/b/a/b: repeats itself; 1 such addresses left out"]


def test_redirect_loops_and_endless_chains_are_named(site):
    site.page("/", body("Start", "/a", "/self", "/n0"))
    site.redirect("/a", "/b")
    site.redirect("/b", "/a")
    site.redirect("/self", "/self")
    for i in range(20):
        site.redirect(f"/n{i}", f"/n{i + 1}")
    failed = gather(site).failed
    assert [line for line in failed if "circle" in line] == [
        f"http://yard.example/{path}: redirects in a circle" for path in ("a", "b", "self")
    ]
    assert "http://yard.example/n0: more than 10 redirects in a row" in failed


def test_server_errors_are_named_and_the_crawl_goes_on(site):
    site.page("/", body("Start", "/broken", "/fine", "/file", "/teapot"))
    site.page("/broken", "", status=500)
    site.page("/teapot", "", status=418)
    site.page("/file", "data", "application/octet-stream")
    site.page("/fine", body("Fine"))
    gathered = gather(site)
    assert uris(gathered) == ["/", "/fine"]
    assert gathered.failed == [
        "http://yard.example/broken: 500",
        "http://yard.example/file: not a page but application/octet-stream",
        "http://yard.example/teapot: 418",
    ]


def test_a_page_over_the_size_limit_is_named(site):
    site.page("/", body("Start", "/long"))
    site.page("/long", "x" * 30_000)
    assert gather(site, max_mb=0.02).failed == ["http://yard.example/long: larger than 0.02 MB"]


def test_a_dead_host_is_one_line_and_the_crawl_goes_on(site):
    site.page("/", body("Start"))
    urls = [f"http://127.0.0.1:9/{i}" for i in range(5)]
    gathered = website.gather(Website(url=site.url + "/", urls=urls, allow_private=True, **QUICK), None)
    assert [d.title for d in gathered.documents] == ["Start"]
    assert len(gathered.failed) == 1
    assert gathered.failed[0].startswith("127.0.0.1:9: ")
    assert gathered.failed[0].endswith("its addresses are left out")


def test_a_host_that_wants_to_be_left_alone_for_long_is_left_alone(site):
    site.page("/", body("Start", *(f"/{i}" for i in range(40))))
    site.answers |= {f"/{i}": (429, {"Retry-After": "3600"}, b"") for i in range(40)}
    with pytest.raises(OutsideError, match="left alone for 3600 s; run again later"):
        gather(site)
    assert len(site.asked) < 15


def test_a_private_address_behind_a_redirect_is_refused(site, monkeypatch):
    import asyncio

    site.page("/", body("Start", "/inside"))
    site.redirect("/inside", "http://in.yard.example/secret")

    async def look_up(self, host, *args, **kwargs):
        return [(2, 1, 6, "", ("10.0.0.1" if host.startswith("in.") else "127.0.0.1", 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    # loopback passes for a public number here, the private number behind the second name does not
    monkeypatch.setattr("ozfig.web.fetch.is_public", lambda number: number == "127.0.0.1")
    port = site.address.split(":")[1]
    section = Website(url=f"http://yard.example:{port}/", scope="domain", **QUICK)
    gathered = website.gather(section, None)
    assert [d.title for d in gathered.documents] == ["Start"]
    assert "in.yard.example: in.yard.example: a private or loopback address" in gathered.failed[0]


def test_the_delay_of_robots_txt_is_kept(site):
    site.page("/robots.txt", "User-agent: *\nCrawl-delay: 0.2", "text/plain")
    site.page("/", body("Start", "/a", "/b", "/c"))
    for name in "abc":
        site.page(f"/{name}", body(name))
    began = time.monotonic()
    assert len(gather(site).documents) == 4
    assert time.monotonic() - began >= 0.6


def test_bad_patterns_and_lists_are_explained(tmp_path):
    with pytest.raises(UserError, match="regular expression"):
        crawl("http://yard.example/", include=["re:("])
    with pytest.raises(UserError, match="urls_from"):
        crawl("http://yard.example/", urls_from=str(tmp_path / "none.txt"))
    with pytest.raises(UserError, match=r"https://example\.com/"):
        crawl("http://yard.example/", urls=["nowhere"])
