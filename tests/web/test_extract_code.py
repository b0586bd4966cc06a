import pytest

from ozfig.web import code
from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"


def listing(inner):
    text = extract(f"<body><main>{FILLER}{inner}</main></body>").markdown
    return text.split("long enough.", 8)[-1].strip()


@pytest.mark.parametrize(
    "html",
    [
        '<pre><code class="language-py">x = 1\ny = 2\n</code></pre>',
        '<pre class="py">x = 1\ny = 2</pre>',
        '<pre data-lang="py"><code>x = 1\ny = 2</code></pre>',
        '<div class="highlight-py notranslate"><div><pre><span>x</span> = 1\ny = 2\n</pre></div></div>',
        '<pre class="brush: py">x = 1\ny = 2</pre>',
        '<pre><code class="language-py"><div class="line">x = 1</div><div class="line">y = 2</div></code></pre>',
        '<pre class="language-py"><code>x = 1<br>y = 2</code></pre>',
        '<table class="rouge-table"><tr><td class="gutter"><pre>1\n2</pre></td><td class="rouge-code">'
        '<pre><code class="lang-py">x = 1\ny = 2</code></pre></td></tr></table>',
        '<div class="highlight-source-py"><table><tr><td class="blob-num">1</td><td class="blob-code">x = 1</td></tr>'
        '<tr><td class="blob-num">2</td><td class="blob-code">y = 2</td></tr></table></div>',
        '<pre class="language-py"><span class="lineno">1</span>x = 1\n<span class="lineno">2</span>y = 2</pre>',
        '<code class="py"><pre class="py">    x = 1\n    y = 2</pre></code>',
    ],
)
def test_code_of_every_highlighter_is_the_same(html):
    assert listing(html) == "```py\nx = 1\ny = 2\n```"


def test_no_language_is_made_up():
    assert listing('<div class="highlight-default"><pre class="literal-block">a</pre></div>') == "```\na\n```"


def test_code_that_the_page_forgot_to_end_is_ended():
    text = listing("<pre>first\n<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><h2>Next</h2>")
    assert text == "```\nfirst\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n## Next"


def test_code_in_a_list_belongs_to_its_item():
    text = listing('<ol start="3"><li><p>Do</p><pre><code class="language-sh">ls</code></pre></li><li>Done</li></ol>')
    assert text == "3. Do\n\n   ```sh\n   ls\n   ```\n\n4. Done"


def test_data_is_cut(monkeypatch):
    monkeypatch.setattr(code, "LONGEST_DATA", 50)
    text = listing("<pre>" + "\n".join(f"line {n}" for n in range(100)) + "</pre><pre>more</pre><p>After.</p>")
    assert "line 5" in text
    assert "line 60" not in text
    assert "more" not in text
    assert text.endswith("...\n```\n\nAfter.")


def test_a_page_of_data_stays_small():
    blob = "iVBORw0KGgo" * 40_000
    address = f"data:image/png;base64,{blob}"
    html = f'<p>Before <img src="{address}">{blob} after.</p><pre>{blob}</pre><p>{address}</p>'
    text = extract(f"<body><main>{FILLER}{html}</main></body>").markdown
    assert len(text) < 500
    assert "Before" in text
    assert "after." in text


def test_code_is_left_as_it_is():
    written = (
        "# a comment\nx = 1\n#\n# ¶ more\n\n\n\n| y |\n"
        + "print('the same long line of code, written twice, of more than eighty characters')\n" * 2
    )
    assert listing(f"<pre>{written}</pre>") == f"```\n{written}```"


def test_code_in_a_quotation_ends_with_it():
    text = listing("<blockquote><pre>one</pre></blockquote><h2></h2><p>P</p><dl><dt>T</dt><dd>m</dd></dl>")
    assert text == "> ```\n> one\n> ```\n\nP\n\n**T**\n: m"
