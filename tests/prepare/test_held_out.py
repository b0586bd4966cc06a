"""Held-out questions of a file: read with care, with the passages that answer them."""

import json
from pathlib import Path

import pytest

from ozfig.errors import UserError
from ozfig.prepare.held_out import from_file
from ozfig.retrieval import chunk


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
    found = from_file(path, [p for d in documents for p in chunk.passages(d)], None)
    assert [bool(e.context) for e in found] == [True, True, False, False]
    assert found[1].context.startswith("Winter storage > Is there power ashore?\n\nYes, at **every** place.")
    assert found[1].source == "http://yard.example/winter.html"
    assert [e.source for e in found[2:]] == ["winter.html", "nowhere.html"]
    assert {e.origin for e in found} == {"held.jsonl"}
    assert found[3].references == ["Yes.", "Sure."]
    assert "no passage found for 2 of 4" in capsys.readouterr().err


def test_csv_and_json_read_alike(tmp_path):
    csv = write(
        tmp_path,
        "held.csv",
        'question,answer,context,answers\n"Why,\nso?",Because.,Text,"[""So."", ""Thus.""]"\nWho?,Ann.,,\n',
    )
    rows = [
        {"question": "Why,\nso?", "answer": "Because.", "context": "Text", "answers": ["So.", "Thus."]},
        {"question": "Who?", "answer": "Ann."},
    ]
    found = from_file(csv, [], None)
    assert found[0].references == ["Because.", "So.", "Thus."]
    assert [e.to_row() | {"origin": ""} for e in found] == [
        e.to_row() | {"origin": ""} for e in from_file(write(tmp_path, "held.json", json.dumps(rows)), [], None)
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ann."}]}],
        [{"instruction": "Who?", "input": "", "output": "Ann."}],
        {
            "data": [
                {
                    "title": "t",
                    "paragraphs": [
                        {
                            "context": "",
                            "qas": [
                                {"question": "Who?", "answers": [{"text": "Ann."}]},
                                {"question": "Why?", "answers": [], "is_impossible": True},
                            ],
                        }
                    ],
                }
            ]
        },
    ],
)
def test_any_shape_of_a_data_set_will_do(tmp_path, rows):
    [example] = from_file(write(tmp_path, "held.json", json.dumps(rows)), [], None)
    assert (example.question, example.answer, example.maker) == ("Who?", "Ann.", "held_out")


def test_the_limit_is_reported(tmp_path, capsys):
    path = write(tmp_path, "held.csv", "question,answer\n" + "".join(f"q{i},a\n" for i in range(5)))
    assert len(from_file(path, [], 2)) == 2
    assert "first 2 of 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"question": "q", "answer": "a"}\n\n{"question": "q"}', "a.jsonl:3: no answer"),
        ("a.jsonl", '{"question": "q", "answer": "a"}\n{oops', "a.jsonl:2: not valid JSON"),
        ("a.jsonl", "[1]", "a.jsonl:1: an object"),
        ("a.json", "{}", "a list of rows"),
        ("a.jsonl", '{"text": "a page"}', "a.jsonl:1: plain text"),
        ("a.csv", "question,answer\nq,a\n,b\n", "a.csv:3: no question"),
    ],
)
def test_broken_files_name_the_line(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message):
        from_file(write(tmp_path, name, text), [], None)


def test_a_missing_file():
    with pytest.raises(UserError, match="no such file"):
        from_file(Path("nowhere.jsonl"), [], None)
