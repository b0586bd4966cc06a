"""Held-out questions: nothing stands on both sides, order does not matter, files are read with care."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig.errors import UserError
from ozfig.prepare.split import from_file, split_off
from ozfig.recipe import HeldOut
from ozfig.types import Example

ROW = st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 4))
ROWS = st.lists(ROW, min_size=2, max_size=40, unique=True).map(
    lambda rows: [Example.pair(f"Question {q}?", f"Answer {a}.", source=f"page {s}") for q, a, s in rows]
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["question", "document"]), st.floats(0.05, 0.9), st.integers(0, 3), st.randoms())
def test_sides_share_nothing_in_any_order(rows, unit, share, seed, rng):
    section = HeldOut(unit=unit, share=share, limit=None)
    train, held = split_off(rows, section, seed)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    again = split_off(shuffled, section, seed)
    assert [{e.id for e in side} for side in again] == [{e.id for e in train}, {e.id for e in held}]
    name = (lambda e: e.source) if unit == "document" else (lambda e: e.question)
    assert not {name(e) for e in train} & {name(e) for e in held}
    assert len({e.id for e in [*train, *held]}) == len({e.id for e in rows})
    if len({name(e) for e in rows}) > 1:
        assert train
        assert held


def test_share_limit_and_seed():
    rows = [Example.pair(f"Question {i}?", "Yes.") for i in range(200)]
    sides = {seed: split_off(rows, HeldOut(share=0.1), seed) for seed in (1, 2)}
    assert [len(held) for _, held in sides.values()] == [20, 20]
    assert sides[1][1] != sides[2][1]
    assert len(split_off(rows, HeldOut(share=0.5, limit=7), 1)[1]) == 7


def test_rows_without_a_source_are_grouped_by_their_passage():
    rows = [Example.pair(f"Question {i}?", "Yes.", context=f"Passage {i // 10}") for i in range(100)]
    train, held = split_off(rows, HeldOut(unit="document", share=0.2), 1)
    assert len(held) == 20
    assert not {e.context for e in train} & {e.context for e in held}


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_finds_its_passages(tmp_path, documents, capsys):
    rows = [
        {"question": "Is it lit?", "answer": "Yes.", "context": "Lamps."},
        {"question": "Power?", "answer": "Yes.", "document": "winter.html", "evidence": "Yes, at every place."},
        {"question": "Power?", "answer": "No.", "document": "winter.html", "evidence": "Penguins never dance here."},
        {"question": "Lost?", "answer": "Yes.", "document": "nowhere.html", "answers": ["Sure."]},
    ]
    path = write(tmp_path, "held.jsonl", "\n\n".join(map(json.dumps, rows)))
    found = from_file(path, documents, None)
    assert [bool(e.context) for e in found] == [True, True, False, False]
    assert found[1].context.startswith("Winter storage > Is there power ashore?\n\nYes, at **every** place.")
    assert found[1].source == "http://yard.example/winter.html"
    assert found[3].references == ["Yes.", "Sure."]
    assert "no passage found for 2 of 4" in capsys.readouterr().err


def test_csv_and_json_read_alike(tmp_path):
    csv = write(tmp_path, "held.csv", 'question,answer,context\n"Why,\nso?",Because.,Text\nWho?,Ann.,\n')
    rows = [{"question": "Why,\nso?", "answer": "Because.", "context": "Text"}, {"question": "Who?", "answer": "Ann."}]
    assert from_file(csv, [], None) == from_file(write(tmp_path, "held.json", json.dumps(rows)), [], None)


def test_the_limit_is_reported(tmp_path, capsys):
    path = write(tmp_path, "held.csv", "question,answer\n" + "".join(f"q{i},a\n" for i in range(5)))
    assert len(from_file(path, [], 2)) == 2
    assert "first 2 of 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"question": "q", "answer": "a"}\n\n{"question": "q"}', "a.jsonl:3: .*'answer'"),
        ("a.jsonl", '{"question": "q", "answer": "a"}\n{oops', "a.jsonl:2: not valid JSON"),
        ("a.jsonl", "[1]", "a.jsonl:1: an object"),
        ("a.json", "{}", "a list of questions"),
        ("a.csv", "question,answer\nq,a\n,b\n", "a.csv:3: .*'question'"),
    ],
)
def test_broken_files_name_the_line(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message):
        from_file(write(tmp_path, name, text), [], None)


def test_a_missing_file():
    from pathlib import Path

    with pytest.raises(UserError, match="no such file"):
        from_file(Path("nowhere.jsonl"), [], None)
