import json

from ozfig.web.extract import extract

FILLER = "<p>" + "Plain words that make the page long enough. " * 8 + "</p>"


def question(name, answer):
    return {"@type": "Question", "name": name, "acceptedAnswer": {"@type": "Answer", "text": answer}}


def page(value, inside=""):
    data = value if isinstance(value, str) else json.dumps(value)
    html = f'<script type="application/ld+json">{data}</script><main><h1>Page</h1>{FILLER}{inside}</main>'
    return extract(f"<body>{html}</body>").markdown


def test_questions_that_only_search_engines_see_are_appended():
    value = {
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "FAQPage", "mainEntity": [question("Is it <b>open</b>?", "<p>Yes, <a href='/x'>daily</a>.</p>")]},
            {"@type": "QAPage", "mainEntity": question("How deep is it?", "Two metres &amp; more.")},
        ],
    }
    assert page(value).endswith("## Is it open ?\n\nYes, daily.\n\n## How deep is it?\n\nTwo metres & more.")


def test_questions_that_are_visible_are_not_doubled():
    seen = "<h3>Is it open?</h3><p>Yes, <b>daily</b>, from nine.</p>"
    text = page({"@type": "FAQPage", "mainEntity": [question("Is it open?", "Yes, daily, from nine.")]}, seen)
    assert text.count("open?") == 1


def test_a_visible_question_whose_answer_is_not_there_gets_it():
    text = page({"@type": "FAQPage", "mainEntity": [question("Is it open?", "Yes, daily.")]}, "<p>Is it open?</p>")
    assert text.endswith("## Is it open?\n\nYes, daily.")


def test_hidden_microdata_is_read():
    hidden = (
        "<div hidden itemscope itemtype='https://schema.org/FAQPage'><div itemprop='mainEntity' itemscope"
        " itemtype='https://schema.org/Question'><h3 itemprop='name'>Who pays?</h3><div itemprop='acceptedAnswer'"
        " itemscope itemtype='https://schema.org/Answer'><div itemprop='text'><ul><li>The owner</li></ul></div></div>"
        "</div></div>"
    )
    assert page("{}", hidden).endswith("## Who pays?\n\n- The owner")


def test_broken_or_odd_markup_says_nothing():
    plain = page("{}")
    odd = ['{"@type": "FAQPage", ', '[1, null, "x"]', '{"@type": "Question", "name": null, "acceptedAnswer": []}']
    assert [page(value) == plain for value in odd] == [True] * 3
