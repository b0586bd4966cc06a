"""Teachers on this machine: the embedded model proves the plumbing, not the teaching."""

import json

import pytest

from ozfig.errors import UserError
from ozfig.prepare import Context
from ozfig.prepare.teach import teacher
from ozfig.recipe import TeacherPairs
from ozfig.retrieval.chunk import Passage
from ozfig.types import ModelRef

PASSAGES = [
    Passage(f"http://yard.example/{name}", "The yard", f"The yard sells {name} at ten pounds for each of them.")
    for name in ("boats", "kayaks", "cradles")
]


@pytest.fixture(scope="module")
def pebble_file(pebble, tmp_path_factory):
    from ozfig.export import gguf

    path = tmp_path_factory.mktemp("gguf") / "pebble.gguf"
    gguf.convert(pebble, path, "pebble")
    return path


def test_a_gguf_file_teaches_through_llama_cpp(pebble_file, tmp_path):
    """A model as small as pebble writes no sense, yet the schema makes it write JSON, or room runs out."""
    section = TeacherPairs(model=str(pebble_file), max_tokens=120, grounding="off", max_passages=2)
    made = teacher.by_teacher(section, Context(tmp_path, (), PASSAGES))
    assert made.counts["passages"] == 2
    assert made.counts["asked"] >= 2
    assert made.counts["tokens_in"] > 200
    kept = [json.loads(line)["text"] for line in (tmp_path / "teacher.jsonl").read_text().splitlines()]
    assert all(text.lstrip().startswith("{") for text in kept)
    assert teacher.by_teacher(section, Context(tmp_path, (), PASSAGES)).counts["asked"] == 0


def test_the_base_model_teaches_in_this_process(pebble, tmp_path):
    base = ModelRef("transformers", str(pebble), "pebble", sha256="0")
    section = TeacherPairs(max_tokens=16, grounding="off", max_passages=1)
    made = teacher.by_teacher(section, Context(tmp_path, (), PASSAGES, base))
    assert (made.counts["asked"], made.counts["passages"]) == (2, 1)  # the first reply is not JSON


def test_no_base_and_no_file(tmp_path):
    with pytest.raises(UserError, match="no base model here"):
        teacher.by_teacher(TeacherPairs(), Context(tmp_path))
    with pytest.raises(UserError, match="no such file"):
        teacher.by_teacher(TeacherPairs(model=str(tmp_path / "absent.gguf")), Context(tmp_path))
