import asyncio
import gzip
import time

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.web.fetch import AGENT, Fetcher, Manners, Reply, Rules, sitemap_links

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


def test_sitemaps_plain_indexed_and_gzipped():
    xml = b"<urlset><url><loc> http://a.example/?a=1&amp;b=2 </loc></url><url><loc><![CDATA[http://a.example/c]]></loc></url></urlset>"
    expected = (["http://a.example/?a=1&b=2", "http://a.example/c"], False)
    assert sitemap_links(Reply("u", 200, body=xml)) == expected
    assert sitemap_links(Reply("u", 200, body=gzip.compress(xml))) == expected
    assert sitemap_links(Reply("u", 200, body=b"<sitemapindex><loc>http://a.example/s</loc></sitemapindex>"))[1]
    assert sitemap_links(Reply("u", 200, body=b"\x1f\x8bbroken")) == ([], False)
