"""Pairs alike in meaning: true copies are dropped, other facts are only listed."""

import pytest

from ozfig.prepare import Context
from ozfig.prepare.semantic import paraphrases, semantic
from ozfig.recipe import SemanticFilter
from ozfig.types import Example

ROWS = [
    Example.pair("What are the opening hours of the library?", "Nine to five on weekdays."),
    Example.pair("What are the library's opening hours?", "Nine to five on weekdays."),
    Example.pair("What are the opening hours of the bakery?", "Nine to five on weekdays."),
    Example.pair("How many boats fit into the hall?", "There is room for 95 boats."),
    Example.pair("How many boats does fit into the hall?", "There is room for 40 boats."),
    Example.pair("Why is the sky blue?", "Air scatters blue light most."),
]


def found(tmp_path, **options):
    verdicts = semantic(ROWS, SemanticFilter(threshold=0.9, review=0.7, **options), Context(tmp_path))
    return {v.index: (v.action, v.neighbour) for v in verdicts}


def test_only_true_copies_are_dropped(tmp_path):
    verdicts = found(tmp_path)
    assert verdicts[1] == ("drop", ROWS[0].question)
    assert verdicts.get(2, ("flag",))[0] == "flag"  # another thing in the same words
    assert verdicts[4] == ("flag", ROWS[3].question)  # another number
    assert 5 not in verdicts


def test_questions_alone_decide_where_the_recipe_says_so(tmp_path):
    assert found(tmp_path, on="question")[1][0] == "drop"
    assert found(tmp_path, on="answer")[2][0] == "drop"


def test_what_is_kept_in_the_cache_changes_nothing(tmp_path):
    assert found(tmp_path) == found(tmp_path)


@pytest.mark.parametrize(("threshold", "n"), [(0.8, 1), (0.999, 0)])
def test_questions_near_a_held_out_one_are_listed(tmp_path, threshold, n):
    held_out = [Example.pair("When is the library open, what are its opening hours?", "Weekdays.")]
    verdicts = list(paraphrases(ROWS[1:2] + ROWS[5:], held_out, threshold, tmp_path))
    assert [(v.index, v.action, v.neighbour) for v in verdicts] == [(0, "flag", held_out[0].question)] * n
