"""Rows on disk and the sieve over them: order does not matter, people's word stands above a filter's."""

from dataclasses import replace

from ozfig.edits import Edit, Layer
from ozfig.prepare import Verdict
from ozfig.prepare.rows import StoredRows
from ozfig.prepare.sieve import Laid, Sieve
from ozfig.types import Example

PAIRS = [Example.pair(f"Question {n}?", f"Answer {n}.", context=f"Größe {n}\nline") for n in range(30)]


def sieve(tmp_path, edits=()):
    laid = Laid(PAIRS, Layer(edits))
    return laid, Sieve(StoredRows.write(tmp_path / "rows.jsonl", laid), laid.protected)


def test_rows_come_back_in_the_order_of_their_ids(tmp_path):
    ordered = sorted(PAIRS, key=lambda e: e.id)
    for name, given in (("a", PAIRS), ("b", PAIRS[::-1])):
        rows = StoredRows.write(tmp_path / name, iter(given))
        assert list(rows) == ordered
        assert [rows[i] for i in (0, 29, -1)] == [ordered[0], ordered[29], ordered[-1]]
        assert list(rows[3:5]) == ordered[3:5]
        assert len(rows) == 30


def test_verdicts_are_of_what_is_left(tmp_path):
    _, found = sieve(tmp_path)
    ordered = sorted(PAIRS, key=lambda e: e.id)
    found.apply([Verdict(0, "first")])
    found.apply([Verdict(0, "second", neighbour="why"), Verdict(1, "look", "flag", score=0.9)])
    assert [d.example for d in found.dropped()] == ordered[:2]
    assert [(f.example, f.score) for f in found.flagged()] == [(ordered[2], 0.9)]
    assert list(found.view) == ordered[2:]
    found.apply([Verdict(0, "after all")])
    assert list(found.flagged()) == []


def test_a_replaced_row_is_seen_by_later_filters_and_kept_as_it_was(tmp_path):
    _, found = sieve(tmp_path)
    mended = Example.pair("Mended?", "Yes.")
    before = found.view[4]
    found.apply([Verdict(4, "mended", "replace", replacement=mended)])
    assert found.view[4] == mended
    assert len(found.view) == 30
    assert [d.example for d in found.dropped()] == [before]


def test_people_keep_and_drop(tmp_path):
    first, second = sorted(PAIRS, key=lambda e: e.id)[:2]
    laid, found = sieve(tmp_path, [Edit("restore", first.id), Edit("drop", second.id), Edit("add", "", "New?", "Yes.")])
    assert [(d.example, d.reason) for d in laid.dropped] == [(second, "dropped by hand")]
    everything = [Verdict(i, "leak: exact") for i in range(len(found.view))]
    found.apply(everything)
    assert {e.question for e in found.view} == {first.question, "New?"}
    assert found.restored == {"leak: exact": 2}


def test_verdicts_on_a_part(tmp_path):
    _, found = sieve(tmp_path)
    places = [5, 7, 11]
    seventh = found.row(7)
    found.apply([Verdict(1, "leak")], places)
    assert [d.example for d in found.dropped()] == [seventh]
    assert len(found.kept) == 29


def test_rows_of_one_id_have_an_order_of_their_own(tmp_path):
    twins = [replace(PAIRS[0], source=f"page {n}") for n in range(5)]
    first = list(StoredRows.write(tmp_path / "a", twins))
    assert list(StoredRows.write(tmp_path / "b", twins[::-1])) == first


def test_a_pair_added_by_hand_can_be_edited_and_dropped(tmp_path):
    added = Edit("add", "", "New?", "Yes.")
    one = Example.pair("New?", "Yes.")
    laid, found = sieve(tmp_path, [added, Edit("edit", one.id, answer="No.")])
    assert [e.answer for e in found.view if e.question == "New?"] == ["No."]
    assert laid.protected == {Example.pair("New?", "No.").id}
    laid, found = sieve(tmp_path, [added, Edit("drop", one.id)])
    assert not [e for e in found.view if e.question == "New?"]
    assert [d.example.id for d in laid.dropped] == [one.id]


def test_an_edited_pair_is_kept_as_it_was(tmp_path):
    laid, _ = sieve(tmp_path, [Edit("edit", PAIRS[0].id, answer="New."), Edit("drop", PAIRS[1].id)])
    assert [(d.example, d.reason) for d in laid.dropped] == [
        (PAIRS[0], "edited by hand"),
        (PAIRS[1], "dropped by hand"),
    ]
    assert laid.counts() == {"edited": 1, "dropped": 1, "added": 0}
