"""Edits are a layer: the last word counts, going back is possible, nothing else is touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig import edits, files
from ozfig.edits import Edit, Layer
from ozfig.errors import UserError
from ozfig.types import Example

FIELDS = {"context": "Open.", "source": "a.html", "origin": "a", "maker": "faq", "evidence": ["Open."]}
PAIR = Example.pair("Is it open?", "Yes.", **FIELDS)


def test_an_edit_changes_words_and_id_and_keeps_where_it_came_from():
    found = Layer([Edit("edit", PAIR.id, answer="Yes, daily.")]).apply(PAIR)
    assert (found.example.question, found.example.answer) == ("Is it open?", "Yes, daily.")
    assert found.example.id == Example.pair("Is it open?", "Yes, daily.", context="Open.").id
    assert (found.example.source, found.example.origin, found.example.maker) == ("a.html", "a", "faq")
    assert found.example.evidence == []  # it was the old answer's
    assert Layer([Edit("edit", PAIR.id, question="Open?")]).apply(PAIR).example.evidence == ["Open."]


def test_an_edited_pair_can_be_edited_again_and_back():
    once = edits.changed(PAIR, Edit("edit", PAIR.id, answer="No."))
    layer = Layer([Edit("edit", PAIR.id, answer="No."), Edit("edit", once.id, answer="Maybe.")])
    assert layer.apply(PAIR).example.answer == "Maybe."
    back = Layer([Edit("edit", PAIR.id, answer="No."), Edit("edit", once.id, answer="Yes.")])
    assert back.apply(PAIR).example.id == PAIR.id
    again = Layer([Edit("edit", PAIR.id, answer="No."), Edit("edit", PAIR.id, answer="Never.")])
    assert again.apply(PAIR).example.answer == "Never."


@pytest.mark.parametrize(
    ("fates", "dropped", "kept"),
    [(["drop"], True, False), (["restore"], False, True), (["drop", "restore"], False, True)],
)
def test_the_last_word_counts(fates, dropped, kept):
    found = Layer([Edit(fate, PAIR.id) for fate in fates]).apply(PAIR)
    assert (found.drop, found.keep) == (dropped, kept)
    assert Layer([Edit("restore", PAIR.id), Edit("drop", PAIR.id)]).apply(PAIR).drop


def test_any_id_of_a_pair_leads_to_the_pair_as_it_is():
    once = edits.changed(PAIR, Edit("edit", PAIR.id, question="Open?"))
    chain = [Edit("edit", PAIR.id, question="Open?"), Edit("edit", PAIR.id, answer="No.")]
    found = Layer(chain).apply(PAIR)
    assert (found.example.question, found.example.answer) == ("Open?", "No.")
    assert list(found.versions) == [PAIR.id, once.id, found.example.id]
    for id in found.versions:
        assert Layer([*chain, Edit("drop", id)]).apply(PAIR).drop
        back = Layer([*chain, Edit("restore", id)]).apply(PAIR)
        assert (back.example, back.keep) == (found.versions[id], True)
    assert Layer([Edit("restore", PAIR.id), *chain]).apply(PAIR).keep


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["edit", "drop", "restore"]), *[st.sampled_from("ABC")] * 2)))
def test_any_history_ends(history):
    at = {letter: Example.pair("Which?", letter) for letter in "ABC"}
    layer = Layer([Edit(action, at[a].id, answer=b if action == "edit" else "") for action, a, b in history])
    assert layer.apply(at["A"]).example.answer in "ABC"


def test_added_pairs_and_edits_of_what_is_gone(tmp_path):
    path = tmp_path / "edits.jsonl"
    assert edits.append(path, [Edit("add", question="New?", answer="Yes.", context="It is new.")]) == 1
    assert edits.append(path, [Edit("drop", "0000")]) == 1
    layer = Layer.read(path)
    assert [(e.question, e.context, e.maker) for e in layer.added] == [("New?", "It is new.", "hand")]
    layer.apply(PAIR)
    assert layer.unused == ["0000"]
    assert Layer.read(None).apply(PAIR).example is PAIR


@pytest.mark.parametrize("row", [{"action": "burn", "id": "1"}, {"id": "1"}, {"action": "drop", "ids": "1"}])
def test_a_row_that_is_no_edit(tmp_path, row):
    path = tmp_path / "edits.jsonl"
    files.write_jsonl(path, [row])
    with pytest.raises(UserError, match=r"edits.jsonl"):
        Layer.read(path)
