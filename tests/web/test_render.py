import asyncio

import pytest

from ozfig.errors import OutsideError, UserError
from ozfig.web import render
from ozfig.web.fetch import Fetcher

needs_browser = pytest.mark.skipif(bool(render.missing()), reason=f"no browser: {render.missing()}")


def show(url, host="", connect_to=""):
    async def main():
        async with Fetcher(connect_to=connect_to) as fetcher, render.Browser(fetcher, host, connect_to) as browser:
            return await browser.render(url)

    return asyncio.run(main())


def test_without_a_browser_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "PROGRAMS", ("no-such-browser",))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert not render.available()
    with pytest.raises(UserError, match="chromium"):
        show("http://h.example/")


@needs_browser
def test_scripts_run_and_nothing_private_is_reached(site):
    script = (
        "setTimeout(() => { document.querySelector('main').textContent = 'written by ' + location.hash;"
        " fetch('http://127.0.0.1:PORT/secret').catch(() => document.title = 'refused'); }, 50)"
    )
    site.page("/", f"<main></main><script>{script.replace('PORT', site.address.split(':')[1])}</script>")
    html = show("http://shop.example/#/guide", "shop.example", site.address)
    assert "written by #/guide" in html
    assert "<title>refused</title>" in html
    assert site.asked == [("/", "shop.example")]


@needs_browser
def test_a_page_that_does_not_answer_is_an_outside_error():
    with pytest.raises(OutsideError, match="not rendered"):
        show("http://127.0.0.1:9/", "h.example", "127.0.0.1:9")
