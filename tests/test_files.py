import json

import pytest

from ozfig import files
from ozfig.errors import UserError


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "a.txt"
    files.write_text(target, "one")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.write_text(target, "two")
    assert target.read_text() == "one"


def test_jsonl_round_trip_and_canonical_form(tmp_path):
    rows = [{"b": 1, "a": "é\n"}, {"a": None}]
    files.write_jsonl(tmp_path / "x.jsonl", rows)
    assert list(files.read_jsonl(tmp_path / "x.jsonl")) == rows
    assert (tmp_path / "x.jsonl").read_text().splitlines()[0] == '{"a":"é\\n","b":1}'


def test_a_broken_row_is_named_by_its_line(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"a": 1}) + "\n{oops\n")
    with pytest.raises(UserError, match=r"x\.jsonl:2: not valid JSON"):
        list(files.read_jsonl(tmp_path / "x.jsonl"))


def test_a_folder_hash_sees_names_and_content_but_not_place(tmp_path):
    for place in ("one", "two"):
        files.write_text(tmp_path / place / "sub" / "f", "x")
    assert files.sha256_path(tmp_path / "one") == files.sha256_path(tmp_path / "two")
    files.write_text(tmp_path / "two" / "sub" / "f", "y")
    assert files.sha256_path(tmp_path / "one") != files.sha256_path(tmp_path / "two")
