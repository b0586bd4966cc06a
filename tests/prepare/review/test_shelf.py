"""The index of a run's pairs: what is found, what waits, and that the layer of edits is the only thing written."""

import pytest

from ozfig import edits, files
from ozfig.edits import Edit
from ozfig.errors import UserError
from ozfig.prepare.review.shelf import open_shelf, waiting_edits
from ozfig.runs import Run
from ozfig.types import Dropped, Example, Flagged, Manifest

TRAIN = [
    Example.pair(
        f"Où est le poste {n}?", f"At PIER {n}.", maker="faq" if n % 2 else "table", origin="http://yard.example/"
    )
    for n in range(120)
]
OUT = [Dropped(Example.pair("What is a berth?", "A place.", origin="b"), "near duplicate", TRAIN[0].question, 0.75)]
ASKED = Example.pair("Of the file?", "Yes.", maker="held_out")
LISTED = [Flagged(TRAIN[3], "alike in meaning", TRAIN[4].question, 0.93)]


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "yard")
    for name, rows in (("train", TRAIN), ("held_out", [TRAIN[0], ASKED]), ("dropped", OUT), ("review", LISTED)):
        files.write_jsonl(run.stage("prepare") / f"{name}.jsonl", (row.to_row() for row in rows))
    return run


def found(shelf, start=0, count=500, **filters):
    cards, total = shelf.find(filters, start, count)
    return [card.example.id for card in cards], total


def test_every_pair_is_there_once_and_pages_follow_each_other(run):
    shelf = open_shelf(run)
    every = [e.id for e in [*TRAIN, ASKED, OUT[0].example]]
    assert found(shelf) == (every, 122)
    paged = [id for start in range(0, 150, 50) for id in found(shelf, start, 50)[0]]
    assert paged == every
    counts = shelf.counts()
    assert counts["fate"] == {"train": 120, "held_out": 1, "dropped": 1, "flagged": 1, "changed": 0}
    assert counts["maker"] == {"faq": 60, "table": 60, "dataset": 1, "held_out": 1}
    assert list(counts["origin"]) == ["http://yard.example/", "b", "unnamed"]


def test_filters_join(run):
    shelf = open_shelf(run)
    odd = [TRAIN[n].id for n in (11, 111, 113, 115, 117, 119)]
    assert found(shelf, text="OÙ EST LE POSTE 11", maker="faq")[0] == odd
    assert found(shelf, text="pier 7.")[0] == [TRAIN[7].id]
    assert found(shelf, text="100%")[1] == 0
    assert found(shelf, fate="dropped", reason="near duplicate")[1] == 1
    assert found(shelf, fate="flagged")[0] == [TRAIN[3].id]
    assert found(shelf, text=TRAIN[5].id)[0] == [TRAIN[5].id]
    [card], _ = shelf.find({"fate": "flagged"}, 0, 9)
    assert (card.note.neighbour, card.note.score) == (TRAIN[4].question, 0.93)


def test_changes_wait_and_go_into_the_layer_alone(run):
    shelf = open_shelf(run)
    before = {p.name: p.read_bytes() for p in run.stage("prepare").iterdir()}
    assert shelf.change(Edit("drop", TRAIN[2].id)).fate == "dropped"
    assert shelf.change(Edit("restore", OUT[0].example.id)).fate == "train"
    card = shelf.change(Edit("edit", TRAIN[1].id, "New?", "Moored."))
    assert (card.is_edited, card.now.answer, card.example.answer) == (True, "Moored.", "At PIER 1.")
    assert found(shelf, fate="changed")[0] == [TRAIN[1].id, TRAIN[2].id, OUT[0].example.id]
    assert found(shelf, text="moored")[0] == [TRAIN[1].id]
    assert shelf.waiting == 3
    assert shelf.change(Edit("restore", TRAIN[2].id)).fate == "train"
    assert found(shelf, fate="changed")[1] == 2
    assert {p.name: p.read_bytes() for p in run.stage("prepare").iterdir()} == before
    assert found(open_shelf(run), fate="changed")[0] == [TRAIN[1].id, OUT[0].example.id]


def test_what_the_command_line_changes_is_seen(run):
    shelf = open_shelf(run)
    shelf.change(Edit("edit", TRAIN[1].id, "New?", "Moored."))
    new = shelf.find({"text": "moored"}, 0, 1)[0][0].now.id
    edits.append(run.folder / "edits.jsonl", [Edit("edit", new, answer="Afloat."), Edit("drop", TRAIN[9].id)])
    assert found(shelf, text="afloat")[0] == [TRAIN[1].id]
    assert found(shelf, fate="changed")[0] == [TRAIN[1].id, TRAIN[9].id]
    assert shelf.is_current


def test_edits_that_the_stage_has_seen_wait_no_more(run):
    path = run.folder / "edits.jsonl"
    edits.append(path, [Edit("drop", TRAIN[1].id)])
    run.write_manifest(Manifest("prepare", "k", "k", {"edits": files.sha256_path(path)}, {}, {}, {}, 1.0, 1.0))
    assert waiting_edits(run) == []
    edits.append(path, [Edit("drop", TRAIN[2].id)])
    assert [edit.id for edit in waiting_edits(run)] == [TRAIN[2].id]
    assert found(open_shelf(run), fate="changed")[0] == [TRAIN[2].id]


def test_refused(run):
    shelf = open_shelf(run)
    with pytest.raises(UserError, match="no example of this run has this id"):
        shelf.change(Edit("drop", "0" * 16))
    with pytest.raises(UserError, match="change it in that file"):
        shelf.change(Edit("drop", ASKED.id))
    with run.lock(), pytest.raises(UserError, match="another ozfig is working"):
        shelf.change(Edit("drop", TRAIN[0].id))
    assert not (run.folder / "edits.jsonl").exists()
    with pytest.raises(UserError, match="nothing prepared yet"):
        open_shelf(Run(run.folder.parent / "other"))
    files.write_jsonl(run.stage("prepare") / "train.jsonl", [])
    assert not shelf.is_current
