"""The filters that compare pairs, and the one for their length, found by the names that a recipe uses."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig import registry
from ozfig.prepare import Context
from ozfig.recipe import ExactFilter, LengthFilter, NearFilter
from ozfig.types import Example

SECTIONS = {"exact": ExactFilter, "near": NearFilter, "length": LengthFilter}
WORDS = ("pier", "boat", "quay", "mast")


def run(kind, rows, **options):
    return list(registry.find("filter", kind)(rows, SECTIONS[kind](**options), Context(Path("unused"))))


def left(kind, rows, **options):
    out = {verdict.index for verdict in run(kind, rows, **options)}
    return [row for i, row in enumerate(rows) if i not in out]


def test_exact_keeps_the_first_and_names_it():
    rows = [Example.pair(*pair) for pair in (("Who is it?", "Ann."), ("who is it", "ann"), ("Who is it?", "Ben."))]
    verdicts = run("exact", rows)
    assert [(v.index, v.action, v.reason, v.neighbour) for v in verdicts] == [
        (1, "drop", "exact duplicate", "Who is it?")
    ]


def test_exact_keeps_the_same_question_about_another_passage():
    assert run("exact", [Example.pair("Who is it?", "Ann.", context=c) for c in ("one", "two")]) == []


@pytest.mark.parametrize(("on", "out"), [("both", []), ("question", [1]), ("answer", [2])])
def test_exact_on_a_part(on, out):
    rows = [Example.pair("Who?", "Ann."), Example.pair("Who?", "Ben."), Example.pair("Whose?", "Ann.")]
    assert [v.index for v in run("exact", rows, on=on)] == out


def test_near_drops_all_but_one_with_its_score():
    answer = "The yard has room for many boats on the hard standing."
    asked = ["How many boats fit on the hard standing?", "How many boats fit on the hard standing there?", "Who is it?"]
    [verdict] = run("near", [Example.pair(question, answer) for question in asked], threshold=0.7)
    assert (verdict.index, verdict.neighbour) == (1, asked[0])
    assert 0.7 <= verdict.score < 1


def test_near_sees_through_an_envelope_around_the_question():
    plain = Example.pair("Who runs the yard?", "Ann.")
    wrapped = Example.pair("Please answer the following question: WHO runs the yard? Thank you!", "ann")
    for rows in ([plain, wrapped], [wrapped, plain]):  # the plain wording stays
        assert [(rows[v.index], v.score) for v in run("near", rows)] == [(wrapped, 1.0)]


@pytest.mark.parametrize(("on", "out"), [("both", []), ("question", [1]), ("answer", [2])])
def test_near_on_a_part(on, out):
    asked, answer = "When does the ferry to the island leave?", "It leaves the pier beside the old town hall at noon."
    rows = [
        Example.pair(asked, answer),
        Example.pair(asked.upper(), "In the evening, and only on Sundays in summer, weather permitting."),
        Example.pair("From where, and at what time of the day, can one go there?", answer),
    ]
    assert [v.index for v in run("near", rows, on=on)] == out


def test_length():
    rows = [Example.pair("Why?", "Because."), Example.pair("Why?", "It is so."), Example.pair("Why?", "So " * 9)]
    rows += [Example.pair(" ", "It is so."), Example.pair("Why? " * 7, "It is so.")]
    reasons = {v.index: v.reason for v in run("length", rows, min_words=2, max_words=8, max_question_words=6)}
    assert reasons == {0: "answer too short", 2: "answer too long", 3: "question empty", 4: "question too long"}


texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
pairs = st.builds(Example.pair, texts, texts)


@settings(max_examples=40, deadline=None)
@given(st.lists(pairs, max_size=12))
def test_what_a_filter_leaves_it_leaves_again(rows):
    for kind in SECTIONS:
        kept = left(kind, rows)
        assert left(kind, kept) == kept


def test_cells_of_one_table_are_different_facts():
    def cell(name, source):
        asked = f"What are the opening hours of the {name} in summer (opening hours)?"
        told = f"The opening hours of the {name} in summer are every day, 08:00 to 18:00."
        return Example.pair(asked, told, source=source, maker="table")

    rows = [cell("office", "hours.html"), cell("fuel dock", "hours.html"), cell("chandlery", "old.html")]
    assert [verdict.index for verdict in run("near", rows)] == [2]


def test_near_compares_with_what_is_kept_and_not_along_a_chain():
    """Each row is like the one before it; the ends of the chain share nothing."""
    rows = [Example.pair("Q", " ".join(f"word{chr(97 + i)}" for i in range(at, at + 10))) for at in range(0, 12, 2)]
    verdicts = run("near", rows, on="answer", threshold=0.5)
    assert [(v.index, v.neighbour) for v in verdicts] == [(1, "Q"), (3, "Q"), (5, "Q")]
    assert all(v.score >= 0.5 for v in verdicts)
