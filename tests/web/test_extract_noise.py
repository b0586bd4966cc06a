import pytest

from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"
LINKS = "".join(f'<li><a href="/{n}">Entry {n}</a></li>' for n in range(6))


def page(inside="", below="", above=""):
    return extract(f"<body>{above}<main><h1>Page</h1>{FILLER}{inside}</main>{below}</body>").markdown


@pytest.mark.parametrize(
    "noise",
    [
        f'<div class="sidebar"><ul>{LINKS}</ul></div>',
        '<div class="share-buttons"><span>Share on Chirp</span></div>',
        f"<h3>Related posts</h3><ul>{LINKS}</ul>",
        '<div id="comments"><h3>2 comments</h3><p>First! I was here before anybody else.</p></div>',
        '<div id="cookie-bar"><p>This site uses cookies. Accept</p></div>',
        '<form><label>Your name</label><input name="name"><p>We never share it.</p></form>',
        '<ol class="breadcrumb"><li><a href="/">Home</a></li><li>Page</li></ol>',
        '<div class="overlay"><p>Join 9,000 readers</p><select><option>Chad</option></select></div>',
        '<div class="slick-cloned"><p>A slide that stands twice</p></div>',
        '<button type="button">Copy</button>',
    ],
)
def test_what_is_no_text_goes(noise):
    assert page(noise) == page()
    assert page(below=noise) == page()


def test_a_table_of_contents_goes_and_its_headings_stay():
    contents = "".join(f'<li><a href="#{w}">1.{n} {w}</a></li>' for n, w in enumerate(("One", "Two", "Three")))
    sections = "".join(f'<h2 id="{w}">{w}</h2><p>About {w}.</p>' for w in ("One", "Two", "Three"))
    assert page(f"<h2>Contents</h2><ul>{contents}</ul>{sections}") == page(sections)


def test_a_list_of_links_elsewhere_is_text():
    assert "- Entry 3" in page(f"<p>These are further pages that you can read:</p><ul>{LINKS}</ul>")


def test_words_that_noise_uses_are_no_reason_alone():
    kept = [
        '<div class="market-share"><p>Our share of the market is a third.</p></div>',
        '<div id="cookies"><p>Oat cookies are two pounds.</p></div>',
        '<div class="menu"><p>Soup, then fish, then cheese, for thirty pounds a head.</p></div>',
        '<div class="sidebar"><h2>Opening hours</h2><p>From nine to five.</p></div>',
    ]
    for html in kept:
        text = page(html)
        assert len(text) > len(page()), html


def test_what_holds_the_heading_or_most_of_the_text_is_never_noise():
    text = extract(f'<body><div class="page-comments"><h1>Page</h1>{FILLER}</div></body>').markdown
    assert text.startswith("# Page")
    assert "Plain words" in extract(f'<body><div class="related">{FILLER}</div><p>End.</p></body>').markdown


def test_a_form_around_the_whole_page_is_no_form():
    assert "Plain words" in extract(f"<body><form id='aspnet'><h1>Page</h1>{FILLER}<input></form></body>").markdown


def test_an_index_keeps_its_links():
    text = extract(f"<body><div><h1>All pages</h1><ul>{LINKS}</ul></div></body>").markdown
    assert "- Entry 0\n- Entry 1" in text


def test_menus_of_a_page_without_landmarks_go():
    text = extract(f"<body><div><ul>{LINKS}</ul></div><div><h1>Page</h1>{FILLER}</div></body>").markdown
    assert "Entry" not in text


def test_long_paragraphs_stand_once_and_table_rows_as_often_as_they_do():
    twice = "<p>This paragraph is there for wide screens, and once more for narrow ones, word for word the same.</p>"
    row = "<tr><td>The same words in two rows of a table, at the length of a paragraph, so that</td><td>1</td></tr>"
    text = page(twice + "<p>Between.</p>" + twice + f"<table><tr><th>a</th><th>b</th></tr>{row}{row}</table>")
    assert text.count("wide screens") == 1
    assert text.count("two rows of a table") == 2


def test_a_main_that_is_only_a_part_gives_way_to_the_body():
    html = f"<body><main><h1>Offer</h1>{FILLER}</main><div><h2>Terms</h2>{FILLER * 6}<p>The end.</p></div></body>"
    assert "## Terms" in extract(html).markdown


def test_a_heading_above_the_texts_own_container_leads_it():
    html = (
        "<title>Splicing | Yard</title><body><h1>Yard</h1><header><h1>Splicing</h1></header>"
        f"<div itemprop='articleBody'>{FILLER}</div></body>"
    )
    page = extract(html)
    assert page.title == "Splicing"
    assert page.markdown.startswith("# Splicing\n\nPlain words")
