"""Weights and the share of general rows."""

import pytest
from pydantic import ValidationError

from ozfig import files
from ozfig.errors import UserError
from ozfig.prepare import mix
from ozfig.prepare.split import GENERAL
from ozfig.recipe import Mix
from ozfig.types import Example


def rows(**counts):
    return [Example.pair(f"{name} {i}?", "Yes.", origin=name) for name, n in counts.items() for i in range(n)]


def taken(examples, section):
    places = mix.weighted(examples.__getitem__, range(len(examples)), section, 7)
    return [examples[i].origin for i in places]


def test_without_wishes_nothing_changes():
    assert mix.weighted(None, [3, 1, 2], Mix(), 7) == [3, 1, 2]


def test_weights_repeat_and_thin_out():
    found = taken(rows(a=100, b=400, c=50), Mix(weights={"a": 2, "b": 0.25, "c": 0}))
    assert found.count("a") == 200
    assert 70 < found.count("b") < 130
    assert found.count("c") == 0


def test_more_rows_change_nothing_for_the_others():
    section = Mix(weights={"a": 0.5})
    few, many = rows(a=100), rows(a=200)
    small = set(mix.weighted(few.__getitem__, range(100), section, 7))
    assert {i for i in mix.weighted(many.__getitem__, range(200), section, 7) if i < 100} == small


def test_general_rows_make_their_share():
    found = taken(rows(**{"mine": 90, GENERAL: 500}), Mix(general=0.1, general_from="x.json"))
    assert (found.count("mine"), found.count(GENERAL)) == (90, 10)


def test_general_rows_come_from_a_file_by_their_hash(tmp_path):
    path = tmp_path / "general.jsonl"
    files.write_jsonl(path, ({"instruction": f"Do {i}", "output": "Done."} for i in range(300)))
    section = Mix.model_validate({"general": 0.1, "from": str(path)})
    found = list(mix.general_rows(section, 90))
    assert len(found) == 13
    assert {e.origin for e in found} == {GENERAL}
    files.write_jsonl(path, reversed(list(files.read_jsonl(path))))
    assert {e.id for e in mix.general_rows(section, 90)} == {e.id for e in found}


def test_wrong_wishes_are_one_line():
    with pytest.raises(UserError, match=r"no pairs come from 'faq'; the sources are: a, b"):
        taken(rows(a=3, b=3), Mix(weights={"faq": 2}))
    with pytest.raises(ValidationError, match="general rows need a source"):
        Mix(general=0.1)
    with pytest.raises(ValidationError, match="cannot be negative"):
        Mix(weights={"a": -1})
