"""Which pages a crawl reaches: by links, sitemap and list, within scope and patterns."""

import gzip

import pytest

from ozfig.errors import UserError
from ozfig.gather import SourceContext, website
from ozfig.recipe import Website

TEXT = "Words about the subject of this very page, enough of them to count as a page with text. " * 3


def body(name, *links):
    anchors = " ".join(f'<a href="{link}">to {link}</a>' for link in links)
    return f"<html><body><nav>{anchors}</nav><main><h1>{name}</h1><p>{name}: {TEXT}</p></main></body></html>"


def gather(site, url="http://yard.example/", **options):
    section = Website(url=url, connect_to=site.address, render="never", retries=0, **options)
    return website.gather(section, None)


def uris(gathered):
    return [d.uri.removeprefix("http://yard.example") for d in gathered.documents]


@pytest.fixture
def yard(site):
    site.page("/", body("Start", "/docs/", "/docs/a?print=1", "/blog/b", "http://shop.yard.example/s"))
    site.page("/docs/", body("Docs", "/docs/a", "/"))
    site.page("/docs/a", body("A", "/docs/deep/d"))
    site.page("/docs/a?print=1", body("Print"))
    site.page("/docs/deep/d", body("D"))
    site.page("/blog/b", body("B"))
    site.page("/s", body("Shop"))
    site.page("/lost", body("Lost", "/linked-by-lost"))
    site.page("/linked-by-lost", body("Linked"))
    return site


def sitemap(*paths, host="yard.example"):
    return "<urlset>" + "".join(f"<url><loc>http://{host}{path}</loc></url>" for path in paths) + "</urlset>"


def test_by_list_only_what_is_listed(yard, tmp_path):
    named = tmp_path / "list.txt"
    named.write_text("# pages\nhttp://yard.example/lost\n\nhttp://yard.example/blog/b\n")
    gathered = gather(
        yard, url="", urls=["http://yard.example/docs/a", "http://shop.yard.example/s"], urls_from=str(named)
    )
    assert [d.uri for d in gathered.documents] == [
        "http://shop.yard.example/s",
        "http://yard.example/blog/b",
        "http://yard.example/docs/a",
        "http://yard.example/lost",
    ]
    assert gathered.origin == "http://yard.example/docs/a"
    assert {d.source for d in gathered.documents} == {gathered.origin}


def test_a_listed_address_that_moves_is_followed_and_one_that_is_closed_is_named(yard):
    yard.page("/robots.txt", "User-agent: *\nDisallow: /blog/", "text/plain")
    yard.redirect("/old", "/new")
    yard.redirect("/new", "/docs/a")
    urls = [f"http://yard.example/{path}" for path in ("old", "blog/b", "gone")]
    gathered = gather(yard, url="", urls=urls)
    assert uris(gathered) == ["/docs/a"]
    assert gathered.failed == [
        "http://yard.example/blog/b: closed to crawlers by robots.txt",
        "http://yard.example/gone: 404",
    ]


def test_a_list_whose_links_are_followed(yard):
    gathered = gather(
        yard, url="", urls=["http://yard.example/docs/deep/d", "http://yard.example/lost"], follow="links"
    )
    assert "/linked-by-lost" in uris(gathered)


def test_by_sitemap_only_what_it_lists(yard):
    yard.page("/robots.txt", "Sitemap: http://yard.example/index.xml", "text/plain")
    yard.page("/index.xml", "<sitemapindex><loc>http://yard.example/one.xml.gz</loc></sitemapindex>", "text/xml")
    packed = gzip.compress(sitemap("/lost", "/docs/a", "/paper.pdf").encode())
    yard.answers["/one.xml.gz"] = (200, {"Content-Type": "application/gzip"}, packed)
    assert uris(gather(yard, follow="sitemap")) == ["/docs/a", "/lost"]
    assert uris(gather(yard, url="http://yard.example/one.xml.gz")) == ["/docs/a", "/lost"]
    assert "/lost" in uris(gather(yard))
    assert "/lost" not in uris(gather(yard, depth=0))


def test_a_sitemap_that_is_missing_is_explained(yard):
    with pytest.raises(UserError, match="follow: links"):
        gather(yard, follow="sitemap")


def test_folder_host_and_domain(yard):
    docs = "http://yard.example/docs/"
    assert uris(gather(yard, docs)) == ["/docs/", "/docs/a", "/docs/deep/d"]
    assert "/blog/b" in uris(gather(yard, docs, scope="host"))
    assert "http://shop.yard.example/s" not in uris(gather(yard, docs, scope="host"))
    assert "http://shop.yard.example/s" in uris(gather(yard, docs, scope="domain"))
    assert ("/robots.txt", "shop.yard.example") in yard.asked


def test_include_and_exclude(yard):
    # the start is read for its links, and is a document only if a pattern says so
    assert uris(gather(yard, include=["/docs/*"])) == ["/docs/", "/docs/a", "/docs/a?print=1", "/docs/deep/d"]
    assert uris(gather(yard, include=["/docs/*"], exclude=["*print=*", "re:/deep/"])) == ["/docs/", "/docs/a"]
    assert "/blog/b" in uris(gather(yard, include=["re:^/(blog|docs)/"]))
    yard.asked.clear()
    gather(yard, exclude=["/blog/*"])
    assert "/blog/b" not in yard.paths


def test_https_that_a_server_insists_on_loses_no_page(site):
    # the site's one spelling is http; a page that answers only under www is taken there
    site.page("/", body("Start", "/a"))
    site.page("/b", body("B"))
    site.redirect("/a", "http://www.yard.example/b")
    assert uris(gather(site)) == ["/", "/b"]


def test_a_limit_is_reported_and_cuts_at_the_same_place_with_many_at_once(yard):
    for limit in (2, 4):
        results = [gather(yard, max_pages=limit, concurrency=n) for n in (1, 8)]
        assert results[0].documents == results[1].documents
        assert len(results[0].documents) == limit
        assert results[0].counts["limit_reached"] == 1
    assert gather(yard).counts["limit_reached"] == 0


# files: all HTML files of the folder; reached: pages that links and sitemaps lead to from the start page
REACH = {
    "consulting_patterson": ("http://www.patterson.example/", 188, 160, 364),
    "blog_jakevdp_pelican": ("http://127.0.0.1/", 69, 69, 136),
    "docs_starlette_mkdocs": ("http://www.starlette.io/", 25, 25, 27),
    "prerendered_flex": ("http://flexconsulting.ca/", 5, 0, 5),  # empty without scripts
}


@pytest.mark.parametrize("name", REACH)
def test_real_sites_give_every_page_that_is_reached(data, name, tmp_path):
    url, pages, documents, files = REACH[name]
    folder = data / "sites" / name
    options = {"serve": str(folder), "render": "never", "max_pages": 1000, "allow_private": True}
    gathered = website.gather(Website(url=url, **options), None)
    assert (gathered.counts["fetched"], len(gathered.documents)) == (pages, documents)
    assert gathered.needs_browser + documents + gathered.counts["copies"] >= pages
    # the other files by list
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    assert len(names) == files
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(url + name for name in names))
    by_list = website.gather(Website(urls_from=str(listed), **options), None)
    assert by_list.counts["fetched"] == files


def test_sitemaps_of_an_index_obey_the_rules_of_the_first_one(yard):
    yard.page("/robots.txt", "User-agent: *\nDisallow: /closed\nSitemap: http://yard.example/index.xml", "text/plain")
    named = ("http://yard.example/closed.xml", "http://other.invalid/far.xml", "http://yard.example/open.xml")
    index = "".join(f"<loc>{name}</loc>" for name in named)
    yard.page("/index.xml", f"<sitemapindex>{index}</sitemapindex>", "text/xml")
    yard.page("/open.xml", sitemap("/lost"), "text/xml")
    assert uris(gather(yard, follow="sitemap")) == ["/lost"]
    assert not {"/closed.xml", "/far.xml"} & set(yard.paths)


def test_a_sitemap_that_failed_is_asked_for_again(yard, tmp_path):
    section = Website(url="http://yard.example/", connect_to=yard.address, render="never", retries=0)
    yard.page("/sitemap.xml", "busy", "text/plain", status=503)
    context = SourceContext(tmp_path / "cache")
    assert "/lost" not in uris(website.gather(section, context))
    yard.page("/sitemap.xml", sitemap("/lost"), "text/xml")
    assert "/lost" in uris(website.gather(section, context))
