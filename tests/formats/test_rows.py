import datetime
import gzip
import json

import pytest

from ozfig.errors import UserError
from ozfig.formats.rows import LONGEST_FIELD, read_rows

ROWS = [
    {"question": " What is an anode? ", "answer": "A block of zinc,\nbolted on.", "context": "Zinc."},
    {"question": 'A "quoted" one?', "answer": "Yes; true, so.", "context": ""},
]


@pytest.mark.parametrize("name", ["a.csv", "semicolons.csv", "a.tsv", "inside.json", "a.v2.jsonl.gz", "a.parquet"])
def test_every_format_gives_its_rows(write, name):
    assert [row.values for row in read_rows(write(name, ROWS))] == ROWS


def test_a_row_knows_its_line(write):
    assert [r.number for r in read_rows(write("a.csv", "a,b\n1,2\n\n3,4\n"))] == [2, 4]
    assert [r.number for r in read_rows(write("a.jsonl", '{"a": 1}\n\n{"a": 2}\n'))] == [1, 3]


def test_a_broken_line_is_a_row_with_a_problem(write):
    deep = "[" * 100_000
    rows = list(read_rows(write("a.jsonl", f'{{"a": 1}}\n{{oops\n[1]\n{deep}\n{{"a": 2}}\n{{"a": "cut o')))
    assert [r.values for r in rows if not r.problem] == [{"a": 1}, {"a": 2}]
    assert [r.number for r in rows if r.problem] == [2, 3, 4, 6]
    assert "an object is expected, not [1]" in rows[2].problem


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz", "a.v2.jsonl.gz"])
def test_a_packed_file_that_is_cut_off_gives_what_comes_before(write, name):
    path = write(name, [{"question": f"q{i}", "answer": "x" * (i % 7)} for i in range(20_000)])
    path.write_bytes(path.read_bytes()[:-2000])
    rows = list(read_rows(path))
    assert len(rows) > 5000
    assert rows[-1].problem == "the file is cut off here"
    assert not any(r.problem for r in rows[:-1] if r is not rows[-2])


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(write):
    path = write("a.csv", 'q,a\n"open,1\n' + "x" * (LONGEST_FIELD + 10) + "\n" + "2,3\n")
    assert any("field larger than" in row.problem for row in read_rows(path))


def test_parquet_keeps_lists_and_knows_dates(write):
    rows = [{"messages": [{"role": "user", "content": "Hi"}], "day": datetime.date(2024, 2, 29)}]
    assert [row.values for row in read_rows(write("a.parquet", rows))] == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", "not a data set; known are .csv"),
        ("a.csv", "q,a\ncafé,1\n".encode("latin-1"), "not UTF-8 .*save it as UTF-8"),
        ("a.jsonl.gz", b"\xff\xfe\x00 no gzip", "a.jsonl.gz: not gzip"),
        ("a.json", b'[{"a": 1}, {"a": 2}', r"cut off after row 2"),
        ("a.json", b'{"a": 1}', "a list of rows is expected"),
        ("a.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        ("a.csv.gz", b"\x1f\x8b and not gzip", "not readable"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_explained(write, name, content, message):
    with pytest.raises(UserError, match=message):
        list(read_rows(write(name, content)))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.json.gz"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(UserError, match="no such file"):
        list(read_rows(tmp_path / name))


def test_a_packed_file_is_known_by_its_first_bytes(write):
    packed = gzip.compress(json.dumps(ROWS).encode())
    assert [row.values for row in read_rows(write("named-wrongly.json", packed))] == ROWS
