"""Leaks: planted ones are found, with their kind and neighbour; clean rows stay."""

import random
import time

import pytest

from ozfig.prepare.leaks import find_leaks
from ozfig.types import Example

HELD = Example.pair(
    "How much does it cost to keep a wooden sailing boat on the northern pontoon in winter?",
    "It costs $410.",
    context="The northern pontoon stays open in winter and a wooden sailing boat pays $410 for the whole season there.",
    source="berths.html",
)


def kinds(question, unit="question", **fields):
    kept, dropped = find_leaks([Example.pair(question, fields.pop("answer", "Yes."), **fields)], [HELD], 0.6, unit)
    assert len(kept) + len(dropped) == 1
    assert all(d.neighbour == HELD.question for d in dropped)
    return [d.reason for d in dropped]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("how much does it cost to keep a wooden sailing boat on the northern pontoon in winter", "exact"),
        ("What would you say it costs to keep wooden sailing boats on our northern pontoons in winter?", "reworded"),
        (
            "Anna asks on the telephone before she comes with friends: keep a wooden sailing boat on the northern"
            " pontoon, or rather look for a mooring further up the river near the old bridge?",
            "ngram",
        ),
    ],
)
def test_kinds(question, reason):
    assert kinds(question) == [f"leak: {reason}"]


@pytest.mark.parametrize("question", ["How much is a boat?", "Is the pontoon open in winter?", "Who runs the yard?"])
def test_other_questions_stay(question):
    assert kinds(question) == []


def test_another_number_is_another_question():
    held = [Example.pair("What is the price of a berth of 9 metres?", "$9")]
    train = [Example.pair("What is the price of a berth of 12 metres?", "$12")]
    assert find_leaks(train, held, 0.6, "question") == (train, [])


def test_the_page_that_a_question_names_does_not_hide_it():
    named, bare = "Winter storage: is there power ashore?", "Is power there ashore?"
    for train, held in ((named, bare), (bare, named), ("Is there power ashore (winter storage)?", bare)):
        _, dropped = find_leaks([Example.pair(train, "Yes.")], [Example.pair(held, "Yes.")], 0.6, "question")
        assert [(d.reason, d.score) for d in dropped] == [("leak: reworded", 1.0)]
    other = [Example.pair("Holiday cottages: is there power ashore?", "No.")]
    assert find_leaks(other, [Example.pair(named, "Yes.")], 0.6, "question")[0] == other


def test_the_name_of_the_same_page_is_no_likeness():
    held = [Example.pair("What is the price of the improver course (Sailing school)?", "$295")]
    train = [Example.pair("What are the dates for a youth course (Sailing school)?", "In May.")]
    assert find_leaks(train, held, 0.4, "question") == (train, [])


def test_an_earlier_turn_leaks_too():
    first = Example.pair(HELD.question, "It costs $410.").messages
    talk = Example.make([*first, *Example.pair("Thanks. And who runs the yard?", "Ann.").messages])
    kept, dropped = find_leaks([talk], [HELD], 0.6, "question")
    assert kept == []
    assert dropped[0].reason == "leak: exact"


def test_unit_document_keeps_passages_apart():
    other = "Who runs the yard?"
    assert kinds(other, source="berths.html") == []
    assert kinds(other, "document", source="berths.html") == ["leak: same document"]
    assert kinds(other, "document", context=HELD.context, source="copy.html") == ["leak: passage"]
    assert kinds(other, "document", answer="We say: a wooden sailing boat pays $410 for the whole season.") == [
        "leak: passage"
    ]
    assert kinds(other, "document", context="Ann has run the yard since spring.", source="about.html") == []


def test_short_passages_count_as_well():
    held = [Example.pair("Who runs it?", "Ann.", context="Ann runs it.", source="a")]
    train = [Example.pair("Since when?", "May.", context="Ann runs it.", source="b")]
    assert [d.reason for d in find_leaks(train, held, 0.6, "document")[1]] == ["leak: passage"]


def test_stock_phrases_are_no_leaks():
    phrase = "Please read the following short text with care and"
    train = [Example.pair(f"{phrase} {w} twelve flowers of mountain meadows nearby", "x") for w in "abcdefgh"]
    held = [Example.pair(f"{phrase} translate three poems about wintry harbours slowly", "x")]
    assert find_leaks(train, held, 0.6, "question")[0] == train


def test_ten_thousand_against_a_thousand_takes_seconds():
    rng = random.Random(5)
    words = [f"word{chr(97 + i // 676)}{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}" for i in range(3000)]
    rows = [Example.pair(" ".join(rng.choices(words, k=12)), "x") for _ in range(11000)]
    held, train = rows[:1000], rows[1000:]
    planted = [Example.pair(f"Please, {e.question.upper()}!", "y") for e in held]
    began = time.process_time()
    kept, dropped = find_leaks([*train, *planted], held, 0.6, "question")
    assert time.process_time() - began < 10
    assert {d.example.id for d in dropped} == {e.id for e in planted}
    assert kept == train
