from ozfig.gather.pages import Found, to_documents
from ozfig.gather.places import Places
from ozfig.recipe import Website
from ozfig.web.extract import Page
from ozfig.web.urls import Site

START = "http://y.example/"
WORDS = "Sails, hulls and rigging need care in every season, and the yard gives it all year round. " * 4


def documents(*found):
    places = Places(Website(url=START), [START])
    places.add(Site.of(START, START))
    return to_documents(found, places, START)


def one(path, text, canonical="", **fields):
    return Found(f"http://y.example/{path}", Page(f"Title of {path}", text, canonical=canonical), **fields)


def test_documents_are_sorted_and_name_their_source():
    gathered = documents(one("b", f"B {WORDS}"), one("a", f"A {WORDS}"))
    assert [d.uri for d in gathered.documents] == ["http://y.example/a", "http://y.example/b"]
    assert {d.source for d in gathered.documents} == {gathered.origin} == {START}


def test_the_same_text_is_kept_under_the_shortest_address():
    gathered = documents(one("longer", WORDS), one("a", WORDS))
    assert [d.uri for d in gathered.documents] == ["http://y.example/a"]
    assert gathered.counts["copies"] == 1


def test_a_canonical_link_is_believed_when_the_words_agree():
    copy = one("print", WORDS + "Printed.", canonical="http://www.y.example/a")
    assert [d.uri for d in documents(one("a", WORDS), copy).documents] == ["http://y.example/a"]
    other = one("b", "Something else entirely stands here. " * 10, canonical="http://y.example/a")
    assert len(documents(one("a", WORDS), other).documents) == 2


def test_two_pages_that_name_each_other_both_stay():
    a = one("a", WORDS, canonical="http://y.example/b")
    b = one("b", WORDS + "More.", canonical="http://y.example/a")
    assert len(documents(a, b).documents) == 2


def test_empty_pages_are_named_each_even_with_one_canonical_address():
    gathered = documents(
        one("", "", START, is_shell=True), one("a", "", START, is_shell=True), one("b", "", reason="the browser failed")
    )
    assert gathered.documents == []
    assert gathered.needs_browser == 2
    assert gathered.failed == [
        "http://y.example/: no text without JavaScript",
        "http://y.example/a: no text without JavaScript",
        "http://y.example/b: no text (the browser failed)",
    ]


def test_little_text_is_kept_with_a_note():
    notes = {d.uri[-1]: d.note for d in documents(one("a", "Short."), one("b", "Thin.", is_shell=True)).documents}
    assert notes == {"a": "little text: 6 characters", "b": "needs JavaScript: only the text without it is here"}


def test_a_frame_of_most_pages_is_dropped_but_no_heading_and_no_code():
    found = [one(f"p{i}", f"# P{i}\n\n## Use\n\n```\nmake\n```\n\nOwn words {i}.\n\nCall us.") for i in range(6)]
    for document in documents(*found).documents:
        assert "Call us" not in document.text
        assert "## Use" in document.text
        assert "make" in document.text
