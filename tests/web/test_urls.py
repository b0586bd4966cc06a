import pytest

from ozfig.web.urls import Site, clean, is_public, registered_domain, visible


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("../b?x=1#part", "http://h.example/b?x=1"),
        ("HTTP://H.Example:80/A", "http://h.example/A"),
        ("/p?utm_source=x&id=2", "http://h.example/p?id=2"),
        ("#/guide?id=install", "http://h.example/a/#/guide"),
        ("#!contact", "http://h.example/a/#!contact"),
        ("#!", "http://h.example/a/"),
        ("#/", "http://h.example/a/"),
        ("/with space", "http://h.example/with%20space"),
        ("mailto:a@b.example", ""),
        ("javascript:void(0)", ""),
        ("http://h.example:port/", ""),
    ],
)
def test_every_address_has_one_spelling(link, expected):
    assert clean(link, "http://h.example/a/") == expected


def test_a_site_is_one_host_from_the_start_folder_downwards():
    site = Site.of("http://www.h.example/docs/start.html", "http://www.h.example/docs/start.html")
    assert site.own("https://h.example/docs/b") == "http://www.h.example/docs/b"
    assert site.own("http://www.h.example/other") == ""
    assert site.own("http://h.example.evil.example/docs/b") == ""
    assert site.own("/docs/paper.pdf", "http://www.h.example/") == ""


def test_a_redirect_decides_host_and_folder_only_where_it_adds_a_slash():
    assert Site.of("http://h.example/docs", "http://h.example/docs/").folder == "/docs/"
    assert Site.of("http://h.example/", "https://h.example/en/").folder == "/"


def test_a_sitemap_of_the_public_host_counts_for_a_copy_on_loopback_only():
    assert Site("http", "127.0.0.1:8", "/").listed("https://h.example/a") == "http://127.0.0.1:8/a"
    assert Site("http", "o.example", "/").listed("https://h.example/a") == ""


def test_ports_of_this_machine_are_not_shown():
    assert visible("http://127.0.0.1:8123/a") == "http://127.0.0.1/a"
    assert visible("http://localhost:8123/a") == "http://localhost/a"
    assert visible("http://[::1]:8123/a") == "http://[::1]/a"
    assert visible("http://h.example:8123/a") == "http://h.example:8123/a"


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "fec0::1",
        "[::1]",
    ],
)
def test_private_numbers_are_not_public(number):
    assert not is_public(number)


def test_public_numbers_are():
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.com", "example.com"),
        ("docs.eu.example.com", "example.com"),
        ("shop.example.co.uk", "example.co.uk"),
        ("example.uk", "example.uk"),
        ("a.example.de", "example.de"),
        ("co.uk", "co.uk"),
        ("user.github.io", "user.github.io"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("localhost", "localhost"),
    ],
)
def test_the_registered_domain_of_a_host(host, domain):
    assert registered_domain(host) == domain


def test_how_far_a_site_reaches():
    start = "https://www.h.example/docs/"
    folder, host, domain = (Site.of(start, start, scope) for scope in ("folder", "host", "domain"))
    assert [bool(s.own("https://h.example/blog/a")) for s in (folder, host, domain)] == [False, True, True]
    assert [bool(s.own("https://shop.h.example/a")) for s in (folder, host, domain)] == [False, False, True]
    assert domain.own("https://noth.example/a") == ""


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("http://h.example/a/../b/./c", "http://h.example/b/c"),
        ("http://H.example./", "http://h.example/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("/%7euser/%c3%a9", "http://h.example/~user/%C3%A9"),
        ("/é?q=ü", "http://h.example/%C3%A9?q=%C3%BC"),
        ("/a;jsessionid=12AB?x=1", "http://h.example/a?x=1"),
        ("/" + "a" * 3000, ""),
    ],
)
def test_odd_spellings(link, expected):
    assert clean(link, "http://h.example/a/") == expected


@pytest.mark.parametrize("link", ["http://a b/", "http://a..b/", "http://.a/", "http://[::1", "http:///x", "http://*/"])
def test_what_is_no_host_is_no_address(link):
    assert clean(link) == ""


def test_half_a_character_is_no_obstacle():
    assert clean("/\udcff", "http://h.example/") == "http://h.example/%3F"
