"""Citations: only numbers that have a source stay, in a stream too."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.serve.citations import Citations, checked, marked

TIDES = {"number": 1, "title": "Tides", "url": "https://a.example/", "text": "High water is at 14:10 on Monday."}
BOATS = {"number": 2, "title": "Boats", "url": "https://b.example/", "text": "A dinghy costs 12 crowns an hour."}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The sea [1] rises [2].", "The sea [1] rises [2]."),
        ("The sea rises [3].", "The sea rises."),
        ("The sea rises.[0][12]", "The sea rises."),
        ("Both [1, 2].", "Both [1][2]."),
        ("All [1-4] of [2,9; 1].", "All [1][2] of [2][1]."),
        ("Use `list[7]`, and [7].", "Use `list[7]`, and."),
        ("```\na[7]\n``\nb[8]\n```\nc [8]", "```\na[7]\n``\nb[8]\n```\nc"),
        ("Four digits [2024] and [x] and [] stay", "Four digits [2024] and [x] and [] stay"),
        ("An end [1", "An end [1"),
        ("An end `", "An end `"),
    ],
)
def test_numbers_without_a_source_go(text, shown):
    assert checked(text, 2) == shown


@given(st.lists(st.sampled_from(["[", "]", "1", "9", " ", ", ", "-", "`", "```", "\n", "word", "[3]", " [12]", "[1]"])))
@settings(max_examples=300, deadline=None)
def test_a_stream_shows_what_the_whole_text_would(pieces):
    citations = Citations(2)
    shown = [citations.feed(piece) for piece in pieces]
    assert "".join(shown) + citations.close() == checked("".join(pieces), 2)


def test_an_unfinished_number_is_held_back():
    citations = Citations(1)
    assert [citations.feed(piece) for piece in ["Yes ", "[1", "2", "] ", "and", " [", "1]."]] == [
        "Yes", "", "", "", " and", "", " [1].",
    ]  # fmt: skip


def test_what_is_held_back_is_short():
    citations = Citations(1)
    shown = "".join(citations.feed(c) for c in "[" + "1" * 500)
    assert len(shown) > 400


def test_sources_are_marked_as_cited_and_as_saying_so():
    text = "High water is at 14:10 [1]. A dinghy sinks on Tuesdays.[2] Code: `a[2]`."
    rows, notes = marked(text, [TIDES, BOATS, {**BOATS, "number": 3}])
    assert [row["cited"] for row in rows] == [True, True, False]
    assert (rows[0]["supported"], rows[1]["supported"], "supported" in rows[2]) == (True, False, False)
    assert notes == ["[2] is cited for something that it does not seem to say"]
