import pytest

from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"


def markdown(inner):
    return extract(
        f"<html><body><main><h1>Page</h1>{FILLER}{inner}</main></body></html>", "http://h.example/a/"
    ).markdown


def test_frame_of_the_page_is_left_out():
    page = extract(
        "<html><head><title>Berths – Yard</title></head><body><header><p>Brand</p></header><nav>Menu</nav>"
        f"<main><h1>Berths</h1>{FILLER}<nav>In this page</nav></main><footer>Imprint</footer>"
        '<div class="cookie-banner">We use cookies</div><script>var x = "code";</script></body></html>'
    )
    assert page.title == "Berths"
    for word in ("Brand", "Menu", "In this page", "Imprint", "cookies", "var x"):
        assert word not in page.markdown


def test_a_heading_about_cookies_is_text():
    assert "## Cookies" in markdown('<h2 id="cookies">Cookies</h2><p>Oats and butter.</p>')


def test_details_become_a_heading_below_the_last_one():
    text = markdown("<h2>Questions</h2><details><summary>Is it <b>open</b>?</summary><p>Yes, daily.</p></details>")
    assert "## Questions\n\n### Is it open?\n\nYes, daily." in text


def test_an_accordion_button_in_a_heading_stays():
    assert "### How?\n\nSo." in markdown("<h3><button>How?</button></h3><div>So.</div>")


def test_definitions_become_term_and_colon_lines():
    text = markdown(
        "<dl><dt>Anode <code>z</code></dt><dd>A <i>block</i> of zinc.</dd><dd><p>Also a pole.</p></dd>"
        "<dt>Boom</dt><dd>A spar.</dd></dl>"
    )
    assert "**Anode z**\n: A *block* of zinc.\n: Also a pole.\n\n**Boom**\n: A spar." in text


def test_a_definition_with_a_list_keeps_the_list():
    assert "**T**\n: words\n\n- one" in markdown("<dl><dt>T</dt><dd>words<ul><li>one</li></ul></dd></dl>")


def test_tables_keep_caption_and_cells():
    text = markdown(
        "<table><caption>Prices</caption><tr><th>Length</th><th>Price</th></tr><tr><td>6 m</td><td>£1</td></tr></table>"
    )
    assert "*Prices*\n\n| Length | Price |\n| --- | --- |\n| 6 m | £1 |" in text


def test_numbered_code_keeps_its_lines_and_language():
    text = markdown(
        '<div class="language-py highlight"><table class="highlighttable"><tr><td class="linenos"><pre>1\n2</pre></td>'
        '<td class="code"><pre><code><span>x = 1</span>\n<span>y = 2</span></code></pre></td></tr></table></div>'
    )
    assert "```py\nx = 1\ny = 2\n```" in text


def test_pictures_go_and_hidden_addresses_stay():
    text = markdown(
        '<p>Write to <a href="mailto:a@h.example?subject=x">the office</a>, call <a href="tel:01632">01632</a>, '
        'see <a href="/b">more</a>.<img src="data:image/png;base64,AAAA" alt="boat"></p>'
    )
    assert "Write to the office (a@h.example), call 01632, see more." in text
    assert "base64" not in text


def test_links_are_absolute_each_once_and_keep_client_routes():
    page = extract(
        '<base href="/docs/"><a href="b#x">b</a><a href="b">b</a><a href="#/guide">g</a>'
        '<a rel="nofollow" href="n">n</a>'
        '<meta http-equiv="refresh" content="0; url=moved.html"><link rel="canonical" href="/c">',
        "http://h.example/a/",
    )
    assert page.links == [
        "http://h.example/docs/b",
        "http://h.example/docs/#/guide",
        "http://h.example/docs/moved.html",
    ]
    assert page.canonical == "http://h.example/c"


@pytest.mark.parametrize(
    ("html", "is_shell"),
    [
        (
            "<nav>"
            + "menu " * 80
            + "</nav><main></main><footer>"
            + "imprint " * 40
            + '</footer><script src="a.js"></script>',
            True,
        ),
        ('<p>Short.</p><script type="application/ld+json">{}</script>', False),
        (f'{FILLER}<script src="a.js"></script>', False),
    ],
)
def test_a_page_that_is_written_by_a_script_is_told(html, is_shell):
    assert extract(html).is_shell is is_shell


def test_a_page_without_a_known_container_keeps_its_headings():
    text = extract(
        f"<body><div><h1>Offer</h1>{FILLER}<div><h2>Security</h2><ul><li>Kerberos</li></ul></div></div></body>"
    ).markdown
    assert "# Offer" in text
    assert "## Security\n\n- Kerberos" in text


def test_a_page_of_links_and_text_gives_the_text():
    menu = "".join(f'<div><a href="/{i}">Entry number {i} of the long menu</a></div>' for i in range(30))
    story = "".join(
        f"<p>{w} sentence of the story that this page tells to its readers, at some length.</p>" for w in "ABCDEFGHIJ"
    )
    text = extract(f"<body><div>{menu}</div><div><h1>Story</h1>{story}</div></body>").markdown
    assert "A sentence of the story" in text
    assert "J sentence of the story" in text
    assert "Entry number 7" not in text


def test_empty_and_broken_html():
    assert extract("").markdown == ""
    assert "open" in extract("<p>open <b>bold <i>both").markdown
