"""Cleaning filters, found by the names that a recipe uses."""

from ozfig import registry
from ozfig.recipe import Filter
from ozfig.types import Example


def run(kind, examples, **options):
    return registry.find("filter", kind)(examples, Filter(kind=kind, **options))


def test_exact_keeps_the_first_and_names_it():
    first, again = Example.pair("Who is it?", "Ann."), Example.pair("who is it", "ann")
    other = Example.pair("Who is it?", "Ben.")
    kept, dropped = run("exact", [first, again, other])
    assert kept == [first, other]
    assert [(d.example, d.reason, d.neighbour) for d in dropped] == [(again, "exact duplicate", "Who is it?")]


def test_exact_keeps_the_same_question_about_another_passage():
    pairs = [Example.pair("Who is it?", "Ann.", context=c) for c in ("one", "two")]
    assert run("exact", pairs) == (pairs, [])


def test_near_drops_all_but_one_with_its_score():
    answer = "The yard has room for many boats on the hard standing."
    asked = ["How many boats fit on the hard standing?", "How many boats fit on the hard standing there?", "Who is it?"]
    pairs = [Example.pair(question, answer) for question in asked]
    kept, dropped = run("near", pairs, threshold=0.7)
    assert kept == [pairs[0], pairs[2]]
    assert dropped[0].example == pairs[1]
    assert dropped[0].neighbour == asked[0]
    assert 0.7 <= dropped[0].score < 1


def test_length():
    pairs = [Example.pair("Why?", "Because."), Example.pair("Why?", "It is so."), Example.pair("Why?", "So " * 9)]
    kept, dropped = run("length", pairs, min_words=2, max_words=8)
    assert kept == [pairs[1]]
    assert [d.reason for d in dropped] == ["answer too short", "answer too long"]
