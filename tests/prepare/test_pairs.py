"""Pairs from structure: what is asked, what is answered, and from which passage."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ozfig.prepare import Context, pairs
from ozfig.recipe import NoPairs, RulePairs
from ozfig.types import Document
from ozfig.web import extract


def made(documents, *rules):
    section = RulePairs(rules=list(rules)) if rules else RulePairs()
    return {e.question: e for e in examples(documents, section)}


def examples(documents, section):
    return pairs.by_rules(section, Context(Path("unused"), documents)).examples


def page(text, title="Boat hire"):
    return [Document.make("http://yard.example/page", title, text)]


def test_faq_heading(documents):
    found = made(documents, "faq")["Winter storage: is there power ashore?"]
    assert found.answer == "Yes, at every place. See the price list for the rate."
    assert found.context.startswith("Winter storage > Is there power ashore?\n\nYes, at")
    assert (found.source, found.maker) == ("http://yard.example/winter.html", "faq")


def test_faq_written_as_q_and_a(documents):
    assert made(documents, "faq")["May I bring my dog to the yard?"].answer == (
        "Yes, on a lead. Dogs stay out of the paint shop."
    )


def test_faq_in_bold_lines_each_keep_their_own_text():
    found = made(
        page("**Can I hire a boat?**\nYes, all year.\n\n**Can I hire a life jacket?**\n\nThey are free.\n"), "faq"
    )
    assert {q: e.answer for q, e in found.items()} == {
        "Boat hire: can I hire a boat?": "Yes, all year.",
        "Can I hire a life jacket?": "They are free.",
    }


def test_a_bare_question_names_its_page():
    assert list(made(page("# Boat hire\n\n## How big are the boats?\n\nThey hold six."), "faq")) == [
        "Boat hire: how big are the boats?"
    ]


def test_headings_become_questions_of_the_reader(documents):
    found = made(documents, "heading")
    assert "Winter storage: can you tell me how you lift?" in found
    lift = found["Winter storage: what should I know before I lift?"]
    assert lift.answer == "Take down the mast. Empty the water tank, the fuel tank and the lockers."


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("How to fill up your tank", "How do I fill up my tank?"),
        ("If something breaks on the water", "What should I do if something breaks on the water?"),
        ("3. Where the crab meat comes from", "Can you tell me where the crab meat comes from?"),
        ("By train", "Boat hire, by train: what should I know?"),
    ],
)
def test_heading_shapes(heading, question):
    text = f"# Boat hire\n\n## {heading}\n\nThere is more than enough to say about it."
    assert list(made(page(text), "heading")) == [question]


def test_definitions(documents):
    found = made(documents, "definition")
    asked = {re.sub(r'^What (?:is|are|does) |["?]| mean', "", q) for q in found}
    assert asked in ({"a hoist day", "Cold Corner", "fittings"}, {"hoist day", "Cold Corner", "fittings"})
    assert all(e.answer in e.context for e in found.values())


def test_a_term_without_a_meaning_is_not_asked_for_one():
    found = made(page("# Bins\n\n**Blue bin**\n: Paper goes into it on Mondays."), "definition")
    assert len(found) == 1
    assert not re.match(r"What (is|does)", next(iter(found)))


def test_tables_answer_in_sentences(documents):
    found = made(documents, "table")
    price = found["What is the price per season for a length of boat of up to 6 m (Winter storage)?"]
    assert price.answer == "The price per season for a length of boat of up to 6 m is $410."
    cradle = next(e for q, e in found.items() if "steel cradle" in q)
    assert cradle.answer == "The price of the steel cradle is $140."
    assert "| Steel cradle | $140 |" in cradle.context
    assert len(found) == 4


def test_rows_of_the_same_name_are_told_apart_by_the_next_cell():
    text = "# Moorings\n\n| Kind | Length | Price |\n|--|--|--|\n| Buoy | short | £5 |\n| Buoy | long | £9 |\n"
    assert {q: e.answer for q, e in made(page(text), "table").items()} == {
        q: f"The price of the buoy ({size}) is {price}."
        for (size, price), q in zip([("short", "£5"), ("long", "£9")], made(page(text), "table"), strict=True)
    }


def test_opening_hours_by_season():
    text = "# Opening hours\n\n| Department | Summer |\n|--|--|\n| Office | 08:00 to 18:00 |\n"
    found = made(page(text), "table")
    assert list(found) == ["What are the opening hours of the office in summer (Opening hours)?"]


def test_one_question_has_one_answer():
    first = Document.make("a", "Kayaks", "# Kayaks\n\n## Is a deposit taken here?\n\nYes, $50.")
    second = Document.make("b", "Cottages", "# Cottages\n\n## Is a deposit taken here?\n\nYes, a quarter.")
    found = examples([first, second], RulePairs(rules=["faq"]))
    assert {e.question: e.answer for e in found} == {
        "Kayaks: is a deposit taken here?": "Yes, $50.",
        "Cottages: is a deposit taken here?": "Yes, a quarter.",
    }
    same_page = Document.make("c", "Kayaks", first.text.replace("$50", "$70"))
    assert examples([first, same_page], RulePairs(rules=["faq"])) == []


def test_long_sections_are_cut_at_a_sentence():
    text = "# Boat hire\n\n## The bell of the yard\n\n" + " ".join(
        f"Sentence {i} has six words here." for i in range(40)
    )
    [found] = made(page(text), "heading").values()
    assert found.answer.endswith("words here.")
    assert 50 <= len(found.answer.split()) <= 60
    assert found.answer in found.context


def test_plain_text_in_questions_and_answers(documents):
    for example in examples(documents, RulePairs()):
        assert not re.search(r"[*|`]|\]\(", example.question + example.answer), example
        assert example.context


def test_only_the_chosen_rules(documents):
    assert {e.maker for e in examples(documents, RulePairs(rules=["table"]))} == {"table"}


FAQ = """<html><head><title>Help</title></head><body><main><h1>Storage</h1>
<p>What people ask us most often about keeping a boat ashore in the winter months, with our answers.</p>
<details><summary>Is there power at every place ashore?</summary><p>Yes, by the meter.</p>
<ul><li>16 A</li><li>32 A</li></ul></details>
<h2>1. Can I sand my boat here?</h2><p>Yes, but sanding needs a vacuum.</p>
<h2>Moving</h2><dl><dt>When does the crew lift?</dt><dd>On Mondays and Fridays in April.</dd></dl>
<p>Question: Do you sell paint?<br>Answer: Yes, in the chandlery.</p></main></body></html>"""


def test_questions_as_pages_mark_them_up():
    text = extract.extract(FAQ).markdown
    found = examples([Document.make("http://yard.example/faq", "Help", text)], RulePairs(rules=["faq", "definition"]))
    assert {e.question.removeprefix("Storage: ").lower(): e.answer for e in found} == {
        "is there power at every place ashore?": "Yes, by the meter. 16 A. 32 A.",
        "can i sand my boat here?": "Yes, but sanding needs a vacuum.",
        "when does the crew lift?": "On Mondays and Fridays in April.",
        "do you sell paint?": "Yes, in the chandlery.",
    }
    assert {e.maker for e in found} == {"faq"}


def test_pairs_name_the_source_of_their_document_and_are_counted(documents, tmp_path):
    named = [replace(document, source="http://yard.example/") for document in documents]
    made = pairs.by_rules(RulePairs(), Context(tmp_path, named))
    assert {e.origin for e in made.examples} == {"http://yard.example/"}
    assert sum(made.counts[rule] for rule in RulePairs().rules) == len(made.examples)


def test_none_makes_none(documents, tmp_path):
    assert pairs.none(NoPairs(), Context(tmp_path, documents)).examples == []
