"""Answers are untrusted: whatever they hold, the HTML is inert."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.serve.markdown import Growing, plain, render

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
    "$<img src=x onerror=alert(1)>$",
    "$$</div><script>alert(1)</script>$$",
    r"\[<svg onload=alert(1)>\]",
    r"\(\href{javascript:alert(1)}{x}\)",
]
TAGS = {"p", "br", "a", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr"}
TAGS |= {"span", "div", "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
LINK = {"href", "title", "rel", "target"}
CLASS = {"class"}
ATTRIBUTES = {"a": LINK, "span": CLASS, "div": CLASS, "code": CLASS, "th": CLASS, "td": CLASS, "ol": {"start"}}


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


@given(st.text(alphabet=st.sampled_from("<>[]()!`*_|-:\n\"' /ajvscript=&#;x1$\\"), max_size=120))
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


FORMULAS = {
    r"a $x^2$ b": '<span class="math">x^2</span>',
    r"a \(x^2\) b": '<span class="math">x^2</span>',
    r"a \[x^2\] b": '<span class="math display">x^2</span>',
    "$$\nx_1 < 2\n$$": '<div class="math display">x_1 &lt; 2</div>',
    "\\[\nx\n= 2\n\\]": '<div class="math display">x\n= 2</div>',
}


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_stay_tex(text):
    assert FORMULAS[text] in render(text)


@pytest.mark.parametrize("text", ["between $5 and $6", "`$x$`", "a \\$x\\$ b", "100$"])
def test_money_and_code_are_no_formulas(text):
    assert "math" not in render(text)


def test_citations_lead_to_sources_that_there_are():
    html = render("Yes [1], no [3], `a[1]`, [1](https://x.example) and [02].", 2, "source-7-")
    assert '<p>Yes<a class="cite" href="#source-7-1" aria-label="Source 1">1</a>, no [3],' in html
    assert "<code>a[1]</code>" in html
    assert html.count('class="cite"') == 3
    assert "cite" not in render("Yes [1].")


WRITTEN = [
    "One\n\ntwo **bold**\n\n- a\n\n- b\n\n  c\n\n```py\nx = 1\n\n\ny\n```\nEnd $x$",
    "Head\n===\n\ntext\n---\n\n> q\n> r\n\n| a |\n|--|\n| 1 |\n\n1. x\n2. y\n\n$$\na\n\nb\n$$\n\nlast",
    "\n\n  lead\n\n\\[\nx\n\\]\n\nafter\n\n***\n\n    code\n\n    more\n\nx",
    "a\r\n\r\nb\n\n\n\nc",
]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_a_growing_text_ends_as_the_whole_one(text, size):
    growing, blocks = Growing(), []
    for start in range(0, len(text), size):
        first, html = growing.feed(text[start : start + size])
        blocks[first:] = html
    assert "".join(blocks) == render(text.lstrip())


def test_what_is_settled_is_not_parsed_again():
    growing = Growing()
    growing.feed("one\n\ntwo\n\nthree\n\nfou")
    assert growing.settled == 2
    assert growing.feed("r") == (2, ["<p>three</p>\n", "<p>four</p>\n"])


@given(st.text(alphabet=st.sampled_from("ab \n-#>*`1.|$=\t"), max_size=60), st.integers(1, 9))
@settings(max_examples=300)
def test_any_growing_text_ends_as_the_whole_one(text, size):
    growing, blocks = Growing(), []
    for start in range(0, len(text), size):
        first, html = growing.feed(text[start : start + size])
        blocks[first:] = html
    assert "".join(blocks) == render(text.lstrip())


def test_words_without_marks():
    assert plain("**Hoist day**\n: A `day`, see [here](x) <b>") == "Hoist day : A day, see here <b>"
    table = "| Course | Dates |\n| --- | --- |\n| Radio | 7 March |\n| First aid | 1 May |"
    assert plain(table) == "Course · Dates · Radio · 7 March · First aid · 1 May"
    assert plain("# Prices\n\n- one\n- two\n") == "Prices one two"
