"""The verb review, as the command line calls it."""

import json
import subprocess
import sys

import pytest

from ozfig import edits, files
from ozfig.edits import Edit, Layer
from ozfig.prepare.review import page
from ozfig.types import Dropped, Example, Flagged

TRAIN = [
    Example.pair(f"What is berth {n}?", "A place " * (n + 1), maker="faq", origin="http://yard.example/")
    for n in range(8)
]
OUT = [Dropped(Example.pair("What is a berth?", "A place."), "near duplicate", "What is berth 0?", 0.75)]
ASKED = Example.pair("Of the file?", "Yes.", maker="held_out")
LISTED = [Flagged(TRAIN[3], "alike in meaning", "What is berth 4?", 0.93)]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "yard"
    files.write_text(folder / "recipe.yaml", "name: yard\ngather: {sources: [{kind: documents, path: .}]}\n")
    for name, rows in (("train", TRAIN), ("held_out", [TRAIN[0], ASKED]), ("dropped", OUT), ("review", LISTED)):
        files.write_jsonl(folder / "prepare" / f"{name}.jsonl", (row.to_row() for row in rows))
    return folder


def review(run, *flags):
    command = [sys.executable, "-m", "ozfig.cli", "review", str(run), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_what_there_is(run):
    code, out, err = review(run, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["counts"]["status"] == {"train": 8, "held_out": 1, "dropped": 1}
    assert found["counts"]["dropped"] == {"near duplicate": 1}
    assert found["words"]["answer"] == [1, 4, 8, 12, 16]
    assert len(found["entries"]) == 5
    code, out, err = review(run, "--dropped")
    assert code == 0
    assert "What is a berth?" in err
    assert "near duplicate · 0.75: What is berth 0?" in err
    assert json.loads(review(run, "--flagged", "--json")[1])["entries"][0]["score"] == 0.93
    assert [e["id"] for e in json.loads(review(run, "--find", "BERTH 5", "--json")[1])["entries"]] == [TRAIN[5].id]


def test_changes_go_into_the_layer(run, tmp_path):
    code, out, _ = review(run, "--drop", TRAIN[2].id, "--restore", OUT[0].example.id, "--json")
    assert (code, json.loads(out)["edits"]) == (0, 2)
    assert review(run, "--edit", TRAIN[1].id, "--answer", "A mooring.")[0] == 0
    layer = Layer.read(run / "edits.jsonl")
    assert layer.apply(TRAIN[2]).drop
    assert layer.apply(OUT[0].example).keep
    assert layer.apply(TRAIN[1]).example.answer == "A mooring."
    table = tmp_path / "pairs.csv"
    assert review(run, "--export", str(table))[0] == 0
    table.write_text(table.read_text(encoding="utf-8-sig").replace("What is berth 7?", "Which is berth 7?"), "utf-8")
    assert json.loads(review(run, "--import", str(table), "--json")[1])["edits"] == 1


def test_an_edit_is_shown_and_can_be_taken_back_by_either_id(run):
    old, new = TRAIN[1], edits.changed(TRAIN[1], Edit("edit", TRAIN[1].id, answer="A mooring."))
    _, _, err = review(run, "--edit", old.id, "--answer", "A mooring.")
    assert "before" in err
    assert [part in err for part in (old.answer, "A mooring.", "1 edited", "ozfig run")] == [True] * 4
    assert "Words" not in err  # nothing but what changed
    files.write_jsonl(run / "prepare" / "train.jsonl", (e.to_row() for e in [new, *TRAIN[2:]]))
    files.write_jsonl(run / "prepare" / "dropped.jsonl", [Dropped(old, "edited by hand", new.question).to_row()])
    _, out, err = review(run, "--find", new.id, "--json")
    assert json.loads(out)["entries"][0]["original"]["answer"] == old.answer
    for id in (new.id, old.id):
        before = (run / "edits.jsonl").read_text()
        code, out, err = review(run, "--restore", id, "--json")
        assert code == 0, err
        change = json.loads(out)["changes"][0]
        assert (change["before"]["answer"], change["after"]["answer"]) == ("A mooring.", old.answer)
        assert Layer.read(run / "edits.jsonl").apply(old).example == old
        (run / "edits.jsonl").write_text(before)
    # one that was dropped after it was edited comes back edited
    assert review(run, "--drop", old.id)[0] == review(run, "--restore", new.id)[0] == 0
    found = Layer.read(run / "edits.jsonl").apply(old)
    assert (found.example.answer, found.drop) == ("A mooring.", False)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--drop", "beef"], "beef: no example of this run"),
        (["--edit", "beef"], "--edit needs"),
        (["--answer", "Better."], "need --edit"),
        (["--drop", ASKED.id], "change it in that file"),
        (["--samples", "0"], "--samples"),
        (["--export", "no/such/folder/pairs.csv"], "no/such/folder: no such folder"),
        (["--import", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_wish_changes_nothing(run, flags, message):
    code, _, err = review(run, "--drop", TRAIN[0].id, *flags)
    assert code == 2
    assert message in err
    assert not (run / "edits.jsonl").exists()


def test_a_run_without_pairs(run):
    (run / "prepare" / "train.jsonl").unlink()
    code, _, err = review(run)
    assert code == 2
    assert "nothing prepared yet; run: ozfig prepare" in err


def test_the_page_shows_every_part(run):
    metrics = {
        "pairs": {"faq": 9}, "train": 8, "train_with_context": 0, "held_out": 1,
        "dropped": {"near duplicate": 1}, "review": {"alike in meaning": 1},
    }  # fmt: skip
    page.write(run / "prepare", "yard", metrics, lambda text: text.replace("A place.", "[hidden]"))
    text = (run / "prepare" / "data.html").read_text()
    for part in (
        "8 pairs to learn from",
        "near duplicate",
        "What is berth 4?",
        "0.93",
        "[hidden]",
        OUT[0].example.id,
        "<svg",
    ):
        assert part in text
    assert "http://" not in text.replace("http://yard.example/", "")
