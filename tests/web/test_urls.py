import pytest

from ozfig.web.urls import Site, clean, is_public, visible


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
    "number", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_private_numbers_are_not_public(number):
    assert not is_public(number)


def test_public_numbers_are():
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
