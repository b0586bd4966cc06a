import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ozfig.formats import stream
from ozfig.formats.stream import JsonStream, NotRows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Drip(io.StringIO):
    """A file that gives a few characters at a time, however many are asked for."""

    def __init__(self, text, size):
        super().__init__(text)
        self.size = size

    def read(self, size=-1):
        return super().read(self.size)


@given(st.lists(VALUES), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_what_comes_out_is_what_the_whole_file_holds(rows, size, indent, is_ascii):
    text = json.dumps(rows, indent=indent, ensure_ascii=is_ascii)
    assert list(JsonStream(Drip(text, size)).rows()) == rows


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1), st.integers(1, 9))
def test_the_one_list_of_an_object_is_found_wherever_it_stands(rows, size):
    whole = {"version": "1", "labels": ["a"], "none": [], "nested": {"list": [{}]}, "rows": rows, "after": {"x": [1]}}
    assert list(JsonStream(Drip(json.dumps(whole), size)).rows()) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("hello", "not valid JSON"),
        ("{}", "a list of rows"),
        ('{"a": [1, 2]}', "a list of rows"),
        ('{"a": [{}], "b": [{}]}', "one such list"),
        ('{"a" [{}]}', "not valid JSON"),
        ('{"a": [{}]', "not valid JSON"),
        ("[1, 2", "cut off"),
        ("[1 2]", "not valid JSON"),
        ('[{"a": "b', "not valid JSON"),
        ("[1] x", "something follows"),
        ("[" * 100_000, "without end"),
    ],
)
def test_what_holds_no_rows_is_explained(text, message):
    with pytest.raises(NotRows, match=message):
        list(JsonStream(io.StringIO(text)).rows())


def test_a_row_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_ROW", 1000)
    monkeypatch.setattr(stream, "CHUNK", 100)
    endless = Drip('["' + "x" * 1_000_000, 100)
    with pytest.raises(NotRows):
        list(JsonStream(endless).rows())
    assert endless.tell() < 2000
