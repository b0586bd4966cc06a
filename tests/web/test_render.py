import asyncio
import time

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.web import render
from ozfig.web.fetch import Fetcher, Manners

needs_browser = pytest.mark.skipif(bool(render.missing()), reason=f"no browser: {render.missing()}")
HOST = "shop.example"


def with_browser(site, work, manners=None):
    """What `work(browser)` gives, with a browser that knows the site as shop.example."""

    async def main():
        async with (
            Fetcher(manners, connect_to=site.address) as fetcher,
            render.Browser(fetcher, HOST, site.address) as browser,
        ):
            return await work(browser)

    return asyncio.run(main())


def show(site, path, **manners):
    return with_browser(site, lambda browser: browser.render(f"http://{HOST}{path}"), Manners(**manners))


def test_without_a_browser_it_says_what_to_install(monkeypatch, tmp_path, site):
    monkeypatch.setattr(render, "PROGRAMS", ("no-such-browser",))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert not render.available()
    with pytest.raises(UserError, match="chromium"):
        show(site, "/")


@needs_browser
def test_scripts_run_and_nothing_else_is_reached(site):
    script = """
      const told = []; const tell = (what) => { told.push(what); document.title = told.sort().join(' '); };
      document.querySelector('main').textContent = 'written by ' + location.hash;
      fetch('http://SITE/secret').catch(() => tell('number'));
      fetch('http://localhost:PORT/secret').catch(() => tell('name'));
      fetch('/order', {method: 'POST'}).catch(() => tell('post'));
      const socket = new WebSocket('ws://SITE/secret'); socket.onclose = socket.onerror = () => tell('socket');
    """.replace("SITE", site.address).replace("PORT", site.address.split(":")[1])
    site.page("/", f"<main></main><img src='/boat.png'><script>{script}</script>")
    html = show(site, "/#/guide")
    assert "written by #/guide" in html
    assert "<title>name number post socket</title>" in html.replace("socket socket", "socket")
    assert site.asked == [("/", HOST)]


@needs_browser
def test_a_private_address_is_refused_without_connect_to(site):
    site.page("/", "<p>secret</p>")

    async def main():
        async with Fetcher() as fetcher, render.Browser(fetcher) as browser:
            await browser.render(site.url)

    with pytest.raises(OutsideError, match="not rendered"):
        asyncio.run(main())
    assert site.asked == []


@needs_browser
def test_pages_are_rendered_at_once_each_without_the_others_cookies(site):
    script = "document.body.append((document.cookie || 'clean') + location.pathname); document.cookie = 'a=1'"
    for n in range(6):
        site.page(f"/{n}", f"<body><script src='/shared.js'></script><script>{script}</script>")
    site.page("/shared.js", "document.body.append('shared')", "text/javascript")

    async def work(browser):
        return await asyncio.gather(*(browser.render(f"http://{HOST}/{n}") for n in range(6)))

    pages = with_browser(site, work)
    assert ["shared" in html and f"clean/{n}" in html for n, html in enumerate(pages)] == [True] * 6
    assert site.paths.count("/shared.js") <= 3  # those that were on their way at once


@needs_browser
def test_a_browser_that_dies_is_started_anew(site):
    site.page("/", "<p>still here</p>")

    async def work(browser):
        await browser.render(f"http://{HOST}/")
        chromium = browser._browser
        session = await chromium.new_browser_cdp_session()
        with pytest.raises(Exception, match="closed"):
            await session.send("Browser.crash")
        assert not chromium.is_connected()
        return await browser.render(f"http://{HOST}/")

    assert "still here" in with_browser(site, work)


@needs_browser
def test_a_redirect_shows_where_it_leads_and_relative_links_stay_right(site):
    site.redirect("/old", "/new/")
    site.page("/new/", "<head></head><body><a href='next'>next</a><script>document.body.append('arrived')</script>")
    html = show(site, "/old")
    assert "arrived" in html
    assert f'<base href="http://{HOST}/new/">' in html


@needs_browser
def test_shadow_roots_are_written_out(site):
    site.page(
        "/",
        "<x-card>slotted words</x-card><script>customElements.define('x-card', class extends HTMLElement {"
        " constructor() { super(); this.attachShadow({mode: 'open'}).innerHTML = '<h2>Card</h2><slot></slot>'; } })"
        "</script>",
    )
    assert "<x-card><h2>Card</h2>slotted words</x-card>" in show(site, "/")


@needs_browser
def test_text_that_comes_late_is_waited_for(site):
    site.before = lambda path: time.sleep(1.0 if path == "/slow.json" else 0)
    site.page("/slow.json", '"late words"', "application/json")
    script = "fetch('/slow.json').then(r => r.json()).then(t => document.body.append(t))"
    site.page("/", f"<p>Loading</p><script>{script}</script>")
    assert "late words" in show(site, "/")


@needs_browser
def test_a_script_without_end_is_given_up_and_the_next_page_still_comes(site, monkeypatch):
    monkeypatch.setattr(render, "SETTLE_SECONDS", 1.0)
    site.page("/endless", "<script>while (true) {}</script>")
    site.page("/", "<p>fine</p>")

    async def work(browser):
        with pytest.raises(OutsideError, match="not done after 6 s"):
            await browser.render(f"http://{HOST}/endless")
        return await browser.render(f"http://{HOST}/")

    assert "fine" in with_browser(site, work, Manners(timeout=5.0, retries=0))


@needs_browser
def test_a_page_that_does_not_answer_is_an_outside_error():
    async def main():
        async with (
            Fetcher(Manners(retries=0), connect_to="127.0.0.1:9") as fetcher,
            render.Browser(fetcher, "h.example", "127.0.0.1:9") as browser,
        ):
            await browser.render("http://h.example/")

    with pytest.raises(OutsideError, match="not rendered"):
        asyncio.run(main())
