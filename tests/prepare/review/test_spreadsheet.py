"""Pairs go out as a table, are edited by hand, and come back as edits."""

import csv

import pytest

from ozfig import edits, files
from ozfig.edits import Edit, Layer
from ozfig.errors import UserError
from ozfig.prepare.review.spreadsheet import from_csv, to_csv
from ozfig.types import Dropped, Example

TRAIN = [Example.pair(f"Question {n}?", f"First line {n}.\nSecond; with, signs", origin="faq") for n in range(6)]
HELD = [Example.pair("Kept?", "Yes.", maker="faq"), Example.pair("Of the file?", "Yes.", maker="held_out")]
OUT = [Dropped(Example.pair("Twice?", "Yes."), "exact duplicate", "Once?")]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run" / "prepare"
    for name, rows in (("train", TRAIN), ("held_out", HELD), ("dropped", OUT)):
        files.write_jsonl(folder / f"{name}.jsonl", (row.to_row() for row in rows))
    return folder


@pytest.fixture
def table(folder, tmp_path):
    path = tmp_path / "pairs.csv"
    assert to_csv(folder, path) == 8
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return path, list(csv.DictReader(lines))


def read(folder, path, missing="auto"):
    return from_csv(folder, path, folder.parent / "edits.jsonl", missing)


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_table_that_nobody_touched_changes_nothing(folder, table):
    assert read(folder, table[0]) == []
    path, rows = table
    write(path, [{**row, "answer": row["answer"].replace("\n", "\r\n")} for row in rows])
    assert read(folder, path) == []


def test_what_people_do_to_a_table(folder, table):
    path, rows = table
    rows[0]["answer"] = "Better."
    del rows[1]
    rows[-1]["status"] = "train"
    rows[2]["status"] = "dropped"
    rows.append({**dict.fromkeys(rows[0], ""), "question": " New? ", "answer": "Yes."})
    write(path, rows)
    found = read(folder, path)
    assert {(e.action, e.id) for e in found} == {
        ("edit", TRAIN[0].id),
        ("drop", TRAIN[1].id),
        ("drop", TRAIN[3].id),
        ("restore", OUT[0].example.id),
        ("add", ""),
    }
    layer = Layer(found)
    assert layer.apply(TRAIN[0]).example.answer == "Better."
    assert layer.added[0].question == "New?"
    assert Edit("drop", TRAIN[1].id) not in read(folder, path, "keep")


def test_a_cut_table_drops_nothing_unless_asked(folder, table):
    path, rows = table
    write(path, rows[:2])
    with pytest.raises(UserError, match="5 of 7 pairs are missing"):
        read(folder, path)
    assert len(read(folder, path, "drop")) == 5
    assert read(folder, path, "keep") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": " "}, r"pairs.csv:\d+: a pair needs"),
        ({"id": "beef"}, r"pairs.csv:\d+: .* never had a pair with the id beef"),
    ],
)
def test_a_broken_line_is_named(folder, table, change, message):
    path, rows = table
    rows[1].update(change)
    write(path, rows)
    with pytest.raises(UserError, match=message):
        read(folder, path)


def test_a_cell_is_never_a_formula_and_an_id_never_a_number(tmp_path):
    rows = [Example.pair("=HYPERLINK(1)", "- one\n- two", context="@now"), Example.pair("'=kept'", "+1")]
    for name, found in (("train", rows), ("held_out", []), ("dropped", [])):
        files.write_jsonl(tmp_path / f"{name}.jsonl", (row.to_row() for row in found))
    to_csv(tmp_path, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as lines:
        written = list(csv.DictReader(lines))
    assert not [cell for row in written for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert {row["id"] for row in written} == {f"id:{row.id}" for row in rows}
    assert [e for e in read(tmp_path, tmp_path / "t.csv") if e.id == rows[0].id] == []


def test_another_context_is_an_edit_and_a_known_pair_no_new_one(folder, table):
    path, rows = table
    rows[0]["context"] = "The passage."
    rows.append({**dict.fromkeys(rows[0], ""), "question": TRAIN[2].question, "answer": TRAIN[2].answer})
    write(path, rows)
    assert read(folder, path) == [Edit("edit", TRAIN[0].id, context="The passage.")]
    assert Layer(read(folder, path)).apply(TRAIN[0]).example.context == "The passage."


def test_dropped_lines_do_not_hide_that_most_pairs_are_missing(folder, table):
    path, rows = table
    more = [Dropped(Example.pair(f"Twice {n}?", "Yes."), "exact duplicate", "Once?").to_row() for n in range(20)]
    files.write_jsonl(folder / "dropped.jsonl", more)
    write(path, [{**dict.fromkeys(rows[0], ""), "question": "New?", "answer": "Yes."}])
    with pytest.raises(UserError, match="7 of 7 pairs are missing"):
        read(folder, path)


@pytest.fixture
def rerun(folder, table):
    """The first answer was changed in the table, and the run made again."""
    path, rows = table
    rows[0]["answer"] = "Better."
    write(path, rows)
    found = read(folder, path)
    edits.append(folder.parent / "edits.jsonl", found)
    layer = Layer(found)
    files.write_jsonl(folder / "train.jsonl", (layer.apply(e).example.to_row() for e in TRAIN))
    was = Dropped(TRAIN[0], "edited by hand", TRAIN[0].question)
    files.write_jsonl(folder / "dropped.jsonl", (note.to_row() for note in [*OUT, was]))
    return path, rows, layer.apply(TRAIN[0]).example


def test_a_table_can_be_read_again_after_the_run_was_made_again(folder, rerun):
    path, rows, _ = rerun
    assert read(folder, path) == []
    rows[0]["id"] = ""  # the pair is recognised by its words
    write(path, rows)
    assert read(folder, path) == []


def test_an_old_table_changes_only_what_was_changed_in_it(folder, rerun):
    path, rows, now = rerun
    rows[0]["answer"] = TRAIN[0].answer
    write(path, rows)
    assert read(folder, path) == []
    rows[0]["answer"] = "Best."
    write(path, rows)
    assert read(folder, path) == [Edit("edit", now.id, answer="Best.")]
    write(path, rows[1:])
    assert read(folder, path) == [Edit("drop", now.id)]


def test_an_edited_pair_is_one_line_of_the_table(folder, rerun):
    path, _, now = rerun
    assert to_csv(folder, path) == 8
    text = path.read_text(encoding="utf-8-sig")
    assert now.id in text
    assert TRAIN[0].id not in text
    assert read(folder, path) == []
