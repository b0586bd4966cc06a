"""The index gives the same bytes every time, and a search over it finds what was asked for."""

import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.retrieval import index
from ozfig.retrieval.chunk import Passage
from ozfig.retrieval.search import Searcher

TEXTS = {
    "Fuel": "Diesel and petrol are sold on the fuel berth from eight to six.",
    "Lifting": "The hoist lifts boats of up to forty tonnes. Book it five days ahead.",
    "Dogs": "Dogs are welcome on a lead. They stay out of the paint shop.",
    "Winter": "Boats stay ashore from October to March, on cradles that the yard lends.",
}
PASSAGES = [Passage(f"{title}.html", title, text, "yard") for title, text in TEXTS.items()]


@pytest.fixture(params=["words", "fused"])
def folder(request, tmp_path):
    index.build(PASSAGES, tmp_path / "index", request.param)
    return tmp_path / "index"


@pytest.mark.parametrize(
    ("question", "title"),
    [("Where can I buy diesel?", "Fuel"), ("How many tonnes can the hoist lift?", "Lifting"), ("dogs", "Dogs")],
)
def test_the_right_passage_comes_first(folder, question, title):
    hits = Searcher.open(folder).search(question, 2)
    assert hits[0].passage.title_path == title
    assert hits[0].passage.source == "yard"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_meaning_finds_what_shares_no_word(tmp_path):
    index.build(PASSAGES, tmp_path / "words", "words")
    index.build(PASSAGES, tmp_path / "fused", "fused")
    asked = "May I bring my puppy?"
    assert Searcher.open(tmp_path / "words").search(asked) == []
    assert Searcher.open(tmp_path / "fused").search(asked, 1)[0].passage.title_path == "Dogs"


def test_the_same_passages_give_the_same_bytes(folder, tmp_path):
    kind = "fused" if (folder / index.VECTORS).exists() else "words"
    index.build(PASSAGES, tmp_path / "again", kind)
    assert files.sha256_path(folder) == files.sha256_path(tmp_path / "again")


def test_many_questions_are_answered_as_one_by_one(folder):
    searcher, asked = Searcher.open(folder), ["diesel", "forty tonnes", "paint"] * 30
    together = searcher.search_all(asked, 1)
    assert [h[0].passage.id for h in together] == [searcher.search(q, 1)[0].passage.id for q in asked]


def test_a_folder_without_an_index(tmp_path):
    with pytest.raises(UserError, match="no index of passages; make one with: ozfig prepare"):
        Searcher.open(tmp_path)
