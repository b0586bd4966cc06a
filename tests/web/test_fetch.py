import asyncio
import contextlib
import gzip
import random
import threading
import time
import tracemalloc

import httpx
import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.web.fetch import Fetcher, Manners
from ozfig.web.robots import AGENT, Rules

QUICK = Manners(backoff=0.01, timeout=1)


def ask(url, method="get", manners=QUICK, **options):
    async def main():
        async with Fetcher(manners, **options) as fetcher:
            return await getattr(fetcher, method)(url)

    return asyncio.run(main())


def test_a_page_is_read_with_the_charset_it_names(site):
    site.answers["/"] = (200, {"Content-Type": "text/html"}, '<meta charset="latin-1">Café'.encode("latin-1"))
    assert "Café" in ask(site.url + "/", allow_private=True).text


def test_loopback_is_refused_unless_allowed(site):
    with pytest.raises(UserError, match="allow_private"):
        ask(site.url + "/")
    assert site.asked == []


def test_connect_to_reaches_the_server_and_keeps_the_name(site):
    site.page("/a", "hello")
    assert ask("http://shop.example/a", connect_to=site.address).text == "hello"
    assert site.asked == [("/a", "shop.example")]


def test_connect_to_without_a_host_is_explained():
    with pytest.raises(UserError, match="host:port"):
        Fetcher(connect_to="127.0.0.1:eighty")


def test_a_busy_server_is_asked_again_after_the_time_it_names(site):
    answers = iter([(503, {"Retry-After": "1"}, b""), (200, {"Content-Type": "text/html"}, b"ready")])
    site.before = lambda path: site.answers.update({"/": next(answers)})
    began = time.monotonic()
    assert ask(site.url + "/", allow_private=True).text == "ready"
    assert time.monotonic() - began >= 1


def test_retries_end(site):
    site.answers["/"] = (500, {}, b"")
    assert ask(site.url + "/", allow_private=True).status == 500
    assert len(site.asked) == QUICK.retries + 1


def test_no_answer_is_an_outside_error():
    with pytest.raises(OutsideError, match="no answer"):
        ask("http://127.0.0.1:9/", allow_private=True)


def test_redirects_are_checked_again(site):
    site.redirect("/", "http://10.0.0.1/secret")
    reply = ask("http://shop.example/", connect_to=site.address)
    assert reply.location == "http://10.0.0.1/secret"
    site.redirect("/loop", "/loop")
    with pytest.raises(UserError, match="redirects"):
        ask("http://shop.example/loop", "follow", connect_to=site.address)


def test_what_is_no_page_or_too_long_is_not_read(site):
    site.page("/f", "x" * 100, "application/zip")
    site.page("/long", "x" * 2000)
    assert ask(site.url + "/f", allow_private=True).problem == "not a page but application/zip"
    long = ask(site.url + "/long", manners=Manners(max_bytes=1000), allow_private=True)
    assert "larger than" in long.problem
    assert long.body == b""


def test_the_delay_between_requests_is_kept(site):
    site.page("/", "x")

    async def main():
        async with Fetcher(Manners(delay=0.1), allow_private=True) as fetcher:
            await asyncio.gather(*(fetcher.get(site.url + "/") for _ in range(4)))

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began >= 0.3


def test_robots_rules_and_their_absence(site):
    assert ask(site.url + "/x", "robots", allow_private=True) == ""
    site.page(
        "/robots.txt", "User-agent: *\nDisallow: /staff/\nCrawl-delay: 2\nSitemap: http://a.example/s.xml", "text/plain"
    )
    rules = Rules(ask(site.url + "/x", "robots", allow_private=True))
    assert not rules.allows("http://a.example/staff/x")
    assert rules.allows("http://a.example/")
    assert (rules.delay, rules.sitemaps) == (2.0, ["http://a.example/s.xml"])
    assert not Rules(f"User-agent: {AGENT.split('/')[0]}\nDisallow: /").allows("http://a.example/")


def test_a_failing_robots_txt_stops_the_crawl(site):
    site.answers["/robots.txt"] = (503, {}, b"")
    with pytest.raises(OutsideError, match="nothing is crawled"):
        ask(site.url + "/", "robots", allow_private=True)


def stream(write, manners=QUICK, path="/"):
    """The reply, or the error, for a server that `write`s its answer itself; and how many requests it saw."""
    seen = []

    async def handle(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        with contextlib.suppress(ConnectionError):
            await write(writer)
            await writer.drain()
        writer.close()

    async def main():
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server, Fetcher(manners, "", True) as fetcher:
            port = server.sockets[0].getsockname()[1]
            try:
                return await fetcher.get(f"http://127.0.0.1:{port}{path}")
            except OutsideError as error:
                return error

    return asyncio.run(main()), len(seen)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def test_a_body_that_drips_is_given_up_after_the_time_for_all_of_it():
    async def drip(writer):
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
        for _ in range(50):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    began = time.monotonic()
    error, requests = stream(drip, Manners(timeout=0.4, retries=1, backoff=0.01))
    assert "not whole after 0.4 s" in str(error)
    assert requests == 2
    assert time.monotonic() - began < 2


def test_a_huge_body_is_cut_off_early():
    sent = 0

    async def pour(writer):
        nonlocal sent
        writer.write(HEAD + b"\r\n")
        for _ in range(200):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1

    reply, _ = stream(pour, Manners(max_bytes=2_000_000))
    assert (reply.problem, reply.body) == ("larger than 2 MB", b"")
    assert sent < 50

    async def announce(writer):
        writer.write(HEAD + b"Content-Length: 200000000\r\n\r\n")

    assert stream(announce)[0].problem == "larger than 10 MB"


def test_a_zip_bomb_does_not_fill_the_memory():
    bomb = gzip.compress(bytes(300_000_000), 9)

    async def throw(writer):
        writer.write(HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode() + bomb)

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    reply, _ = stream(throw)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert reply.problem == "larger than 10 MB"
    assert peak < 50_000_000


def test_a_page_that_did_not_change_is_not_sent_again(site):
    site.answers["/"] = (304, {}, b"")
    noted = []

    async def main():
        async with Fetcher(QUICK, allow_private=True) as fetcher:
            client = fetcher._client(httpx.URL(site.url))

            async def note(request):
                noted.append(dict(request.headers))

            client.event_hooks["request"] = [note]
            return await fetcher.get(site.url + "/", unless=('"abc"', "Mon, 01 Jan 2024 00:00:00 GMT"))

    assert asyncio.run(main()).status == 304
    assert noted[0]["if-none-match"] == '"abc"'
    assert noted[0]["if-modified-since"] == "Mon, 01 Jan 2024 00:00:00 GMT"


def test_an_overloaded_host_is_asked_by_fewer_at_once(site):
    under_way, most = 0, []
    lock = threading.Lock()
    site.answers.update({f"/{i}": (503, {}, b"") for i in range(8)})
    site.answers.update({f"/{i}": (200, {"Content-Type": "text/html"}, b"x") for i in range(8, 40)})

    def count(path):
        nonlocal under_way
        with lock:
            under_way += 1
            most.append((int(path[1:]), under_way))
        time.sleep(0.01)
        with lock:
            under_way -= 1

    site.before = count

    async def main():
        async with Fetcher(Manners(backoff=0.01, retries=0), allow_private=True) as fetcher:
            await asyncio.gather(*(fetcher.get(f"{site.url}/{i}") for i in range(8)))
            slow = fetcher.pace(site.url).limit
            await asyncio.gather(*(fetcher.get(f"{site.url}/{i}") for i in range(8, 12)))
            await asyncio.gather(*(fetcher.get(f"{site.url}/{i}") for i in range(12, 40)))
            return slow, fetcher.pace(site.url).limit

    slow, later = asyncio.run(main())
    assert slow == 4
    assert slow < later < 8
    assert max(n for path, n in most if 8 <= path < 12) <= 4


def test_jitter_spreads_the_retries_and_changes_no_reply(site):
    site.answers["/"] = (500, {}, b"")
    waits = []
    for seed in (1, 2):
        random.seed(seed)
        began = time.monotonic()
        assert ask(site.url + "/", manners=Manners(backoff=0.1, retries=1), allow_private=True).status == 500
        waits.append(time.monotonic() - began)
    assert all(0.05 <= wait < 0.3 for wait in waits)
    assert abs(waits[0] - waits[1]) > 0.01


def test_a_binary_under_a_pages_name_is_no_page(site):
    site.answers["/"] = (200, {"Content-Type": "text/html"}, b"%PDF-1.7 ...")
    assert "not a page, though" in ask(site.url + "/", allow_private=True).problem


def test_a_redirect_to_nowhere_is_a_problem(site):
    site.redirect("/", "ftp://files.example/")
    assert "no web address" in ask(site.url + "/", allow_private=True).problem
    site.redirect("/", "mailto:a@b.example")
    with pytest.raises(UserError, match="redirects to"):
        ask(site.url + "/", allow_private=True)


def test_two_names_at_one_number_share_no_connection():
    fetcher = Fetcher()
    clients = {id(fetcher._client(httpx.URL(f"http://{name}.example/a"))) for name in ("a", "b")}
    assert len(clients) == 2
    assert fetcher._client(httpx.URL("http://a.example/b")) is fetcher._client(httpx.URL("http://a.example/c"))


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::1]", "localhost", "127.0.0.1"])
def test_a_proxy_is_not_asked_for_private_numbers(site, monkeypatch, host):
    site.page("/", "secret")
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserError, match="allow_private"):
        ask(f"http://{host}/")
    assert site.asked == []
