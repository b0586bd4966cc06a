import json
import subprocess
import sys
from pathlib import Path

import pytest

from ozfig.prepare.teach.grounding import check, stands_alone
from ozfig.prepare.teach.stems import numbers, sentences, stem

PASSAGE = """Winter storage > Prices

Boats stay ashore from 1 October to 31 March. The yard has room for ninety-five of them, and Maud Ostler keeps the list.
A steel cradle costs $1,140 for the season. Wooden cradles are lent free to members of Heron Sailing Club.

| Length | Price |
| --- | --- |
| Up to 6 m | $410 |
| Over 6 m | $620 |
"""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When do boats stay ashore?", "Boats stay ashore from 1 October to 31 March."),
        ("When do boats stay ashore?", "From October to March."),
        ("Who keeps the list of boats?", "Maud Ostler."),
        ("Who keeps the list of boats?", "Maud Ostler keeps it."),
        ("What does a steel cradle cost for the season?", "A steel cradle costs 1140 dollars for the season."),
        ("How many boats does the yard have room for?", "There is room for 95 boats."),
        ("Do members of the sailing club pay for wooden cradles?", "No, wooden cradles are lent free to its members."),
        ("What does storage of a boat up to 6 m cost?", "Storage of a boat of up to 6 m costs $410."),
        ("What becomes of vessels in the cold months, please?", "Boats stay ashore from 1 October to 31 March."),
    ],
)
def test_what_the_passage_says_is_supported(question, answer):
    found = check(answer, PASSAGE, question)
    assert found.supported, found
    assert found.unsupported == []
    assert found.evidence
    assert all(sentence in sentences(PASSAGE) for sentence in found.evidence)


@pytest.mark.parametrize(
    ("question", "answer", "named"),
    [
        ("What does a steel cradle cost for the season?", "A steel cradle costs $1,240 for the season.", "1,240"),
        ("Who keeps the list of boats?", "The list is kept by Ann Ostler.", "Ann"),
        ("How many boats does the yard have room for?", "The yard has room for thirty boats.", "thirty"),
        ("What does the yard do with masts?", "The yard paints every mast before it is stored.", "paints every mast"),
        ("Who keeps the list of boats?", "The dockmaster", "dockmaster"),
        # in the passage, and no answer to the question
        ("What does a steel cradle cost for the season?", "$620", "$620"),
        ("When do boats stay ashore?", "Heron Sailing Club", "Heron"),
        ("Who keeps the list of boats?", "31 March", "31 March"),
        ("How many boats does the yard have room for?", "Maud Ostler", "Maud"),
        ("Who keeps the list of boats?", "", ""),
    ],
)
def test_what_it_does_not_say_is_named(question, answer, named):
    found = check(answer, PASSAGE, question)
    assert not found.supported
    assert any(named in claim for claim in found.unsupported)


def test_one_wrong_sentence_of_several_is_enough():
    good = "A steel cradle costs $1,140 for the season."
    found = check(f"{good} It is delivered by helicopter on request.", PASSAGE, "What does a steel cradle cost?")
    assert found.unsupported == ["It is delivered by helicopter on request."]
    assert found.score < 0.5
    assert check(good, PASSAGE, "What does a steel cradle cost?").evidence == [
        "A steel cradle costs $1,140 for the season."
    ]


def test_a_bare_yes_cannot_be_checked_and_one_before_a_sentence_is_passed_over():
    question = "Are wooden cradles lent free to members of the club?"
    assert not check("Yes.", PASSAGE, question).supported
    assert check("Yes. Wooden cradles are lent free to members.", PASSAGE, question).supported


def test_an_empty_passage_supports_nothing():
    assert not check("Yes.", "", "Is it?").supported


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("stores", "stored"),
        ("storing", "store"),
        ("parties", "party"),
        ("stopped", "stop"),
        ("Anna's", "anna"),
        ("1,000", "1000"),
        ("seven", "7"),
        ("organization", "organize"),
    ],
)
def test_stems(a, b):
    assert stem(a) == stem(b)


def test_stems_keep_other_words_apart():
    assert len({stem(word) for word in ("boat", "boot", "class", "clasp", "bus", "busy", "news", "1.5", "15")}) == 9


def test_sentences_and_numbers():
    assert sentences("Dr. May has 3.5 boats. She sails!\n- a list item\n| a | b |\n| --- | --- |") == [
        "Dr. May has 3.5 boats.",
        "She sails!",
        "a list item",
        "a, b",
    ]
    assert numbers("One of 1,000 boats, twelve masts and 3.5 m") == {"1000": "1,000", "12": "twelve", "3.5": "3.5"}


ALONE = """What does Tidewater Yard charge for winter storage?
When does the boat yard lift boats in spring?
How much does it cost to store a boat ashore?
Is it possible to hire a kayak for half a day?
Which documents do I need for a berth at Tidewater Yard?
If my boat is late for its lift, what happens?
What do boats need before they are lifted?
Who founded the company that runs the ferry?
Do members get their discount in the café?
How long does it take to fit a new mast?
When is the office open this year?
What is bilge?
Can I bring my dog to the yard?
Where can visitors leave their cars?
Who wrote the article about the old ferry?
What is the role of the Event Loop in Node.js?
Why do sails need drying before they are stored?
How does Cazton help its clients with Kubernetes?
What did Ada Lovelace publish in 1843?
Which page of the handbook explains the tide table?"""
LOOSE = """What does it offer?
What services do they provide?
When was the company founded?
What is the main topic of the text?
According to the passage, why are boats lifted?
Which three services are mentioned?
Where did he study law?
What is its price?
Who founded it?
How does this help customers?
What are the benefits of these services?
What happened in that year?
What does the author recommend?
Which steps are listed above?
How many are there?
What can be bought here?
In what year was his first book published?
Why is the product popular?
What does that cost?
Who are their partners?"""


@pytest.mark.parametrize("question", ALONE.splitlines())
def test_questions_that_stand_alone(question):
    assert stands_alone(question) == ""


@pytest.mark.parametrize("question", LOOSE.splitlines())
def test_questions_that_do_not(question):
    reason = stands_alone(question)
    assert reason == "it names nothing" or reason in question.lower()
    assert reason


def test_the_measured_quality_holds(data):
    """On real questions, fewer than the benchmark asks: nine of ten wrong answers are caught, nine of ten rightly."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.grounding", str(data), "--json", "--n", "100"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    easy = json.loads(done.stdout)["rows"][0]
    assert (easy["variant"], easy["wrong"]) == ("other passage", 50)
    assert easy["recall"] >= 0.9
    assert easy["precision"] >= 0.9
