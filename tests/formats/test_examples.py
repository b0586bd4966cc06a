import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ozfig import formats
from ozfig.errors import UserError
from ozfig.recipe import Dataset

from .conftest import WRITERS

# what text in a table can be: no lone surrogates, and no NUL, which Parquet and CSV readers may cut at
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
WORDS = TEXT.filter(lambda text: text.strip())
PAIRS = st.lists(st.fixed_dictionaries({"question": WORDS, "answer": WORDS, "context": TEXT}), min_size=1, max_size=6)
TURNS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3)


def read(path, **options):
    reading = formats.examples(Dataset(path=str(path), **options))
    return list(reading), reading


def ids(rows, name, folder, **options):
    path = Path(folder) / name
    path.write_bytes(WRITERS[name](rows))
    return [(e.id, e.references, e.context) for e in read(path, **options)[0]]


@given(PAIRS)
@settings(max_examples=40, deadline=None)
def test_the_same_rows_give_the_same_examples_from_every_format(rows):
    with tempfile.TemporaryDirectory() as folder:
        expected = ids(rows, "a.json", folder)
        assert len(expected) == len(rows)
        for name in WRITERS:
            assert ids(rows, name, folder) == expected, name


def turn(question, answer):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


@given(st.lists(TURNS, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_conversation_comes_back_as_it_went(chats):
    rows = [
        {"messages": [message for question, answer in chat for message in turn(question, answer)]} for chat in chats
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.jsonl", "a.csv", "a.parquet"):
            path = Path(folder) / name
            path.write_bytes(WRITERS[name](rows))
            found, _ = read(path)
            said = [[{"role": m.role, "content": m.content} for m in e.messages] for e in found]
            assert said == [[m | {"content": m["content"].strip()} for m in row["messages"]] for row in rows]
            again = Path(folder) / "again.jsonl"
            again.write_bytes(WRITERS["a.jsonl"]([{"messages": messages} for messages in said]))
            assert [e.id for e in read(again)[0]] == [e.id for e in found]


@given(PAIRS, st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_change_the_set_or_the_sample(rows, order, size):
    turned = rows[:]
    order.shuffle(turned)
    with tempfile.TemporaryDirectory() as folder:
        assert sorted(ids(rows, "a.json", folder)) == sorted(ids(turned, "a.json", folder))
        assert ids(rows, "a.json", folder, sample=size) == ids(turned, "a.json", folder, sample=size)


PEAKS = """
import json, resource, sys
from ozfig import formats
from ozfig.recipe import Dataset
def read(path, **options):
    reading = formats.examples(Dataset(path=path, **options))
    given = sum(1 for _ in reading)
    return [given, reading.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
for path in sys.argv[1:]:  # what the libraries and the first rows need
    before = read(path, limit=1)
print(json.dumps([before] + [read(path) for path in sys.argv[1:]] + [read(sys.argv[1], sample=5)]))
"""


def test_large_files_need_memory_for_a_few_rows(tmp_path):
    letters = random.Random(7).randbytes(4000).hex()
    rows = [{"question": f"q{i}", "answer": f"{i} {letters}"} for i in range(2000)]  # 16 MB
    names = ["a.csv", "a.json", "inside.json", "a.json.gz", "a.jsonl", "a.parquet"]
    for name in names:
        (tmp_path / name).write_bytes(WRITERS[name](rows))
    asked = [{"question": row["question"], "answers": [{"text": row["answer"]}]} for row in rows]
    articles = [{"title": "t", "paragraphs": [{"context": "c", "qas": asked[i : i + 40]}]} for i in range(0, 2000, 40)]
    (tmp_path / "squad.json").write_text(json.dumps({"version": "1", "data": articles}))
    names.append("squad.json")
    del rows, asked, articles
    command = [sys.executable, "-c", PEAKS, *(str(tmp_path / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, *read, sampled = json.loads(done.stdout)
    assert [given for given, *_ in read] == [2000] * len(names)
    assert sampled[:2] == [5, 2000]
    peaks = {name: round(peak - before[2]) for name, (_, _, peak) in zip(names, read, strict=True)}
    peaks["sample"] = round(sampled[2] - before[2])
    assert max(peaks.values()) < 12, f"megabytes above what the first rows need: {peaks}"


def test_a_limit_stops_the_reading(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"question": "q{i}", "answer": "a"}}\n' for i in range(5000)))
    found, reading = read(path, limit=30)
    assert [e.question for e in found] == [f"q{i}" for i in range(30)]
    assert reading.rows == 30
    texts = tmp_path / "t.jsonl"
    texts.write_text("".join(f'{{"text": "page {i}"}}\n' for i in range(500)))
    assert len(read(texts, limit=30)[1].documents) == 30
    assert len(read(texts, sample=7)[1].documents) == 7


def rows_with_bad(folder, rows, every):
    """JSONL in which every so many-th row has no answer."""
    good, bad = '{"question": "q", "answer": "a"}', '{"question": "q", "answer": ""}'
    lines = (good if i % every else bad for i in range(1, rows + 1))
    path = folder / "a.jsonl"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("options", [{}, {"sample": 3}])
def test_bad_rows_are_named_counted_and_passed_over(tmp_path, options):
    found, reading = read(rows_with_bad(tmp_path, 2000, 100), max_bad=0.02, **options)
    assert len(found) == options.get("sample", 1980)
    assert reading.bad == len(reading.failed) == 20
    assert reading.failed[0] == "a.jsonl:100: no answer"
    assert len(read(rows_with_bad(tmp_path, 20, 2))[0]) == 10  # ten are always passed over


def test_too_many_bad_rows_stop_as_soon_as_that_is_clear(tmp_path):
    path = rows_with_bad(tmp_path, 100_000, 10)
    with pytest.raises(UserError, match=r"101 of 1010 rows are bad; the first is a.jsonl:10: no answer"):
        read(path)
    with pytest.raises(UserError, match="11 of 110 rows"):
        read(rows_with_bad(tmp_path, 110, 10))
    with pytest.raises(UserError, match="1 of 1 rows"):
        read(rows_with_bad(tmp_path, 1, 1))


def test_no_more_than_a_hundred_bad_rows_are_named(tmp_path):
    found, reading = read(rows_with_bad(tmp_path, 2000, 4), max_bad=0.5)
    assert (len(found), reading.bad, len(reading.failed)) == (1500, 500, 101)
    assert reading.failed[-1] == "a.jsonl: 400 more bad rows"


def test_an_optional_key_may_be_missing_from_the_first_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{oops\n{"q": "a?", "a": "b"}\n{"q": "c?", "a": "d", "c": "e"}\n')
    found, _ = read(path, columns={"question": "q", "answer": "a", "context": "c"})
    assert [e.context for e in found] == ["", "e"]
    with pytest.raises(UserError, match="no column 'k'"):
        read(path, columns={"question": "q", "answer": "a", "context": "k"})


def test_half_a_character_is_a_bad_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "\\ud800", "answer": "a"}\n{"question": "q", "answer": "a"}\n')
    found, reading = read(path)
    assert len(found) == 1
    assert "a.jsonl:1: half a character" in reading.failed[0]


def test_every_example_names_its_origin(tmp_path):
    path = tmp_path / "faq.json"
    path.write_text('[{"question": "q", "answer": "a", "source": "manual"}, {"text": "t"}]')
    found, reading = read(path)
    assert [(e.origin, e.source) for e in found] == [("faq.json", "manual")]
    assert reading.documents[0].source == "faq.json"
