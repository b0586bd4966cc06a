"""Leaks: planted ones are found, with their kind and neighbour; clean rows stay."""

import random
import time

import pytest

from ozfig.prepare.leaks import find_leaks
from ozfig.recipe import Leaks
from ozfig.types import Example

HELD = Example.pair(
    "How much does it cost to keep a wooden sailing boat on the northern pontoon in winter?",
    "It costs $410.",
    context="The northern pontoon stays open in winter and a wooden sailing boat pays $410 for the whole season there.",
    source="berths.html",
)


def leaks(rows, held, unit="question", threshold=0.6):
    return list(find_leaks(rows, held, [], Leaks(threshold=threshold), unit))


def kinds(question, unit="question", **fields):
    found = leaks([Example.pair(question, fields.pop("answer", "Yes."), **fields)], [HELD], unit)
    assert all((v.index, v.action, v.neighbour) == (0, "drop", HELD.question) for v in found)
    return [v.reason for v in found]


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
    assert leaks(train, held) == []


def test_the_page_that_a_question_names_does_not_hide_it():
    named, bare = "Winter storage: is there power ashore?", "Is power there ashore?"
    for train, held in ((named, bare), (bare, named), ("Is there power ashore (winter storage)?", bare)):
        found = leaks([Example.pair(train, "Yes.")], [Example.pair(held, "Yes.")])
        assert [(v.reason, v.score) for v in found] == [("leak: reworded", 1.0)]
    other = [Example.pair("Holiday cottages: is there power ashore?", "No.")]
    assert leaks(other, [Example.pair(named, "Yes.")]) == []


def test_the_name_of_the_same_page_is_no_likeness():
    held = [Example.pair("What is the price of the improver course (Sailing school)?", "$295")]
    train = [Example.pair("What are the dates for a youth course (Sailing school)?", "In May.")]
    assert leaks(train, held, threshold=0.4) == []


def test_an_earlier_turn_leaks_too():
    first = Example.pair(HELD.question, "It costs $410.").messages
    talk = Example.make([*first, *Example.pair("Thanks. And who runs the yard?", "Ann.").messages])
    assert [v.reason for v in leaks([talk], [HELD])] == ["leak: exact"]


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
    assert [v.reason for v in leaks(train, held, "document")] == ["leak: passage"]


def test_stock_phrases_are_no_leaks():
    phrase = "Please read the following short text with care and"
    train = [Example.pair(f"{phrase} {w} twelve flowers of mountain meadows nearby", "x") for w in "abcdefgh"]
    held = [Example.pair(f"{phrase} translate three poems about wintry harbours slowly", "x")]
    assert leaks(train, held) == []


def test_ten_thousand_against_a_thousand_takes_seconds():
    rng = random.Random(5)
    words = [f"word{chr(97 + i // 676)}{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}" for i in range(3000)]
    rows = [Example.pair(" ".join(rng.choices(words, k=12)), "x") for _ in range(11000)]
    held, train = rows[:1000], rows[1000:]
    planted = [Example.pair(f"Please, {e.question.upper()}!", "y") for e in held]
    began = time.process_time()
    found = leaks([*train, *planted], held)
    assert time.process_time() - began < 10
    assert [v.index for v in found] == list(range(len(train), len(train) + len(planted)))


PLAIN = Example.pair(
    "A robe takes two bolts of blue fibre and half that much white fibre. How many bolts does it take?", "3"
)
SHORT = Example.pair("Who painted the night watch?", "Rembrandt")
CHOICES = Example.pair(
    "The following are multiple choice questions (with answers) about biology.\n\n"
    "Which organelle stores most of the water of a plant cell?\n"
    "A. the large central vacuole\nB. the rough endoplasmic reticulum\nC. the inner mitochondrial membrane\n"
    "D. it depends\nAnswer:",
    "A",
)
PASSAGE = Example.pair(
    "When was it built?",
    "1871",
    context="The lighthouse on the western mole was built by convicts in 1871. It burned whale oil. "
    "Its keeper rowed across the harbour every evening.",
)
ITEMS = [PLAIN, SHORT, CHOICES, PASSAGE]
TALK = Example.pair("Tell me of your day.", "I went to the harbour and looked at boats until the rain came.")


def benchmark(question, answer="Yes.", rows=(TALK,), items=ITEMS):
    found = list(find_leaks([*rows, Example.pair(question, answer)], [], items, Leaks(), "question"))
    assert all(v.index == len(rows) for v in found)
    return [v.reason.removeprefix("leak: benchmark ") for v in found]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLAIN.question.upper(), "question"),
        (f"My teacher asked: {PLAIN.question} Can you help?", "question"),
        ("Half that much white fibre: how many bolts does it take, I wonder.", "question"),
        ("who painted the Night Watch", "question"),
        ("Quiz: Who painted the Night Watch? (one word)", "question"),
        (CHOICES.question, "question"),
        ("Which organelle stores most of the water of a plant cell?", "stem"),
        ("Is it the large central vacuole, or the rough endoplasmic reticulum?", "choice"),
        ("Its keeper rowed across the harbour every evening.", "context"),
        ("As is told: the lighthouse on the western mole was built by convicts in 1871, so they say.", "context"),
    ],
)
def test_benchmark_items_in_either_turn(text, kind):
    assert benchmark(text) == [kind]
    assert benchmark("Say something.", text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "Who painted the fence?",
        "A plant cell has the large central vacuole that stores water.",
        "When was it built?",
        "It depends",
        "The lighthouse burned whale oil for years.",
        "A",
        "1871",
    ],
)
def test_what_only_resembles_an_item_stays(text):
    assert benchmark(text) == []
    assert benchmark("Say something.", text) == []


def test_a_context_of_a_row_and_the_share_and_neighbour():
    row = Example.pair("Who rowed?", "The keeper.", context=PASSAGE.context)
    [verdict] = find_leaks([row], [], ITEMS, Leaks(), "question")
    assert (verdict.reason, verdict.score, verdict.neighbour) == ("leak: benchmark context", 1.0, PASSAGE.question)


def test_a_phrase_of_training_is_no_leak_of_a_benchmark():
    phrase = "summarise the text below in three sentences for a busy reader"
    rows = [Example.pair(f"Please {phrase}: {word}", "x") for word in "abcdef"]
    item = Example.pair(f"{phrase} and name the people who built the harbour wall in the storm of that winter", "x")
    assert benchmark(f"{phrase}!", rows=rows, items=[item]) == []
    assert benchmark(f"{phrase}!", items=[item]) == ["question"]


def test_what_many_items_ask_is_no_leak():
    items = [Example.pair("Which of these boats is sunk?", "a", context=f"There are {n} boats.") for n in range(9)]
    assert benchmark("Which of these boats is sunk?", items=items) == []
    assert benchmark("Which of these boats is sunk?", items=items[:2]) == ["question"]


def test_a_row_that_leaks_both_is_named_once():
    found = list(find_leaks([TALK, PLAIN], [PLAIN], [PLAIN], Leaks(), "question"))
    assert [(v.index, v.reason) for v in found] == [(1, "leak: exact")]


def test_items_of_numbers_only_prove_nothing():
    assert benchmark("Sort 1 2 3 4 5 6 7 8 9 10", items=[Example.pair("1 2 3 4 5 6 7 8 9 10 11", "12")]) == []
    assert benchmark("", items=[Example.pair("", "")]) == []


def test_nothing_new_is_found_in_what_was_left():
    rows = [TALK, *ITEMS, *(Example.pair(f"{item.question} Really?", "No.") for item in ITEMS)]
    out = {v.index for v in find_leaks(rows, [SHORT], ITEMS, Leaks(), "question")}
    left = [row for i, row in enumerate(rows) if i not in out]
    assert TALK in left
    assert list(find_leaks(left, [SHORT], ITEMS, Leaks(), "question")) == []
