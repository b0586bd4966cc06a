"""Answers are untrusted: whatever they hold, the HTML is inert."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ozfig.serve.markdown import render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "![x][y]\n\n[y]: https://evil.example/pixel.png",
    '[a](https://x.example "onclick=alert(1)\\" onmouseover=alert(2)")',
    '```"><script>alert(1)</script>\ncode\n```',
    "<svg onload=alert(1)>",
    "<iframe src=https://evil.example>",
    "a <style>body{display:none}</style>",
    "</div></article><h1>out</h1>",
    "| a |\n|:-:|\n| <b onclick=x>b</b> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
TAGS = {"p", "br", "a", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr"}
TAGS |= {"h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
LINK = {"href", "title", "rel", "target"}
ATTRIBUTES = {"a": LINK, "code": {"class"}, "th": {"class"}, "td": {"class"}, "ol": {"start"}}


class Inspector(HTMLParser):
    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()), (tag, name)
            if name == "href":
                scheme = value.split(":")[0].lower() if ":" in value else ""
                assert scheme not in {"javascript", "vbscript", "data", "file"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text):
    Inspector().feed(render(text))
    Inspector().feed(render(f"- {text}\n\n> {text}"))


@given(st.text(alphabet=st.sampled_from("<>[]()!`*_|-:\n\"' /ajvscript=&#;x1"), max_size=120))
def test_no_text_makes_other_tags_or_attributes(text):
    Inspector().feed(render(text))


def test_what_an_answer_may_use():
    html = render("**b** `c`\nnext\n\n1. one\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |\n\n[l](https://x.example)")
    for part in (
        "<strong>b</strong>",
        "<code>c</code>",
        "<br",
        "<ol>",
        '<td class="right">1</td>',
        '<td class="center">2',
    ):
        assert part in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "style=" not in html
