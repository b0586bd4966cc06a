import shutil
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from ozfig.export.errors import ParityError
from ozfig.export.parity import Parity
from ozfig.recipe import Limits
from ozfig.types import Example


def rewritten(source: Path, target: Path, **changes):
    """A copy of a GGUF file with other metadata."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            value = changes.get(field.name.rpartition(".")[2], field.contents())
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, value, field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.asarray(tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.fixture(scope="module")
def parity(adapter, tmp_path_factory):
    with Parity(adapter, [], "Be brief.", Limits(), tmp_path_factory.mktemp("parity")) as ready:
        yield ready


@pytest.fixture
def small(exported):
    return exported[1].models["quantised"]


def test_a_good_file_passes(parity, small):
    figures = parity.check(small)
    assert figures["token_ids_equal"] == figures["token_ids_compared"] > 250
    assert figures["top1"] >= 0.75


def test_another_template_is_named(parity, small, tmp_path):
    template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", chat_template=template)
    with pytest.raises(ParityError, match=r"bad\.gguf: the chat template differs: .*\[user\]"):
        parity.check(replace(small, path=str(path)))


def test_another_tokenizer_is_named(parity, small, tmp_path):
    # the defaults of SentencePiece put a space before every text
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", add_space_prefix=True)
    with pytest.raises(ParityError, match=r"tokens in training, \d+ in llama|token ids differ for"):
        parity.check(replace(small, path=str(path)))


def test_a_second_start_marker_is_found(adapter, small, tmp_path):
    # a template without the start marker in training, while llama.cpp sets one
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    copy = tmp_path / "adapter"
    shutil.copytree(adapter.path, copy)
    (copy / "chat_template.jinja").write_text(template)
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", chat_template=template)
    with (
        Parity(replace(adapter, path=str(copy)), [], "", Limits(), tmp_path) as parity,
        pytest.raises(ParityError, match=r"is \d+ tokens in training, \d+ in llama\.cpp"),
    ):
        parity.check(replace(small, path=str(path)))


def test_a_file_that_computes_otherwise_is_named(parity, exported, tmp_path):
    # the same weights, turned faster: only llama.cpp reads this
    path = rewritten(exported[0] / "site.F16.gguf", tmp_path / "bad.gguf", freq_base=100.0)
    with pytest.raises(ParityError, match=r"bad\.gguf: after .* in training, .* in llama\.cpp"):
        parity.check(replace(exported[1].models["F16"], path=str(path)))


def test_a_reply_that_ends_elsewhere_is_named(parity, exported, monkeypatch):
    monkeypatch.setattr(parity.engine, "stops", [])  # as if the end marker of training were none to llama.cpp
    with pytest.raises(ParityError, match=r"llama\.cpp ends a reply at '</s>', unlike in training"):
        parity.check(exported[1].models["F16"])


def test_held_out_questions_are_asked_where_there_are_any(adapter, exported, tmp_path):
    asked = [Example.pair(f"What is the number {i}?", "A number, and not a small one.") for i in range(3)]
    with Parity(adapter, asked, "Be brief.", Limits(), tmp_path) as parity:
        figures = parity.check(exported[1].models["Q8_0"])
    assert figures["replies"] == 3
    answer = parity.engine.tokenizer("A number, and not a small one.</s>", add_special_tokens=False)["input_ids"]
    assert abs(figures["tokens"] - 3 * len(answer)) <= 3


@pytest.mark.parametrize(("limits", "words"), [({"kl": 0.0}, "kl 0 and"), ({"top1": 1.0}, "top1 1;")])
def test_a_file_beyond_the_limits_is_refused(parity, small, limits, words, monkeypatch):
    monkeypatch.setattr(parity, "limits", Limits(**limits))
    with pytest.raises(ParityError, match=words):
        parity.check(small)
