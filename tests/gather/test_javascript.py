"""Sites that write their text with scripts: render: auto gives what the same text without scripts would."""

import re
from pathlib import Path

import pytest

from ozfig.gather.website import crawl
from ozfig.web import render

pytestmark = pytest.mark.skipif(bool(render.missing()), reason=f"no browser: {render.missing()}")
PAGES = Path(__file__).parents[1] / "web" / "pages"
KINDS = {".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".md": "text/markdown"}


def put(site, folder):
    """Serve a folder; pages are found at their address with and without .html."""
    for path in sorted((PAGES / folder).rglob("*.*")):
        name = "/" + path.relative_to(PAGES / folder).as_posix()
        for address in {name, name.removesuffix("index.html"), name.removesuffix(".html")}:
            site.page(address, path.read_text(encoding="utf-8"), KINDS[path.suffix] + "; charset=utf-8")


def texts(site, **options):
    found = crawl("http://yard.example/", connect_to=site.address, **{"retries": 0, **options})
    return {d.uri.removeprefix("http://yard.example"): d.text for d in found}


def words(markdown):
    """A Markdown text without what a converter may write in another way: marks of links, spaces."""
    return re.sub(r"\s+", " ", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown)).strip()


def test_routes_behind_a_hash_give_the_text_of_their_markdown_files(site):
    put(site, "hashes")
    found = texts(site)
    assert sorted(found) == ["/", "/#/berths/prices", "/#/tides"]
    for address, name in {"/": "README", "/#/tides": "tides", "/#/berths/prices": "berths/prices"}.items():
        assert words(found[address]) == words((PAGES / "hashes" / f"{name}.md").read_text(encoding="utf-8"))


def test_an_application_gives_what_its_prerendered_twin_gives(site):
    put(site, "prerendered")
    twin = texts(site, render="never")
    assert sorted(twin) == ["/", "/repairs", "/storage"]
    site.answers.clear()
    put(site, "history")
    for route in ("/repairs", "/storage"):
        site.answers[route] = site.answers["/"]
    assert texts(site) == twin
    assert "- A torn seam: 15 pounds" in twin["/repairs"]


def test_without_rendering_such_a_page_is_named(site):
    put(site, "history")
    from ozfig.gather.website import gather
    from ozfig.recipe import Website

    section = Website(url="http://yard.example/", connect_to=site.address, render="never", retries=0)
    gathered = gather(section, None)
    assert gathered.needs_browser == 1
    assert gathered.failed == ["http://yard.example/: no text without JavaScript"]
