import gzip

from ozfig.web.sitemaps import LONGEST, links

XML = (
    b"<urlset><url><loc> http://a.example/?a=1&amp;b=2 </loc></url>"
    b"<url><loc><![CDATA[http://a.example/c]]></loc></url></urlset>"
)
EXPECTED = ["http://a.example/?a=1&b=2", "http://a.example/c"]


def test_plain_gzipped_and_with_a_prefix():
    assert links(XML) == (EXPECTED, False)
    assert links(gzip.compress(XML)) == (EXPECTED, False)
    assert links(XML.replace(b"<loc", b"<s:loc").replace(b"</loc", b"</s:loc")) == (EXPECTED, False)


def test_an_index_lists_sitemaps():
    assert links(b"<sitemapindex><sitemap><loc>http://a.example/s.xml</loc></sitemap></sitemapindex>") == (
        ["http://a.example/s.xml"],
        True,
    )


def test_a_text_file_with_one_address_a_line():
    assert links(b"\xef\xbb\xbfhttp://a.example/1\nhttp://a.example/2\n") == (
        ["http://a.example/1", "http://a.example/2"],
        False,
    )


def test_what_is_broken_or_too_long_lists_what_can_be_read():
    assert links(b"\x1f\x8bbroken") == ([], False)
    assert links(b"<html>404</html>") == ([], False)
    bomb = gzip.compress(XML + bytes(LONGEST))
    assert links(bomb) == (EXPECTED, False)
