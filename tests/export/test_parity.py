from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from ozfig.export import parity


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


@pytest.fixture
def small(exported):
    return exported[1].models["quantised"]


def test_a_good_file_passes(small):
    figures = parity.check(small, "Be brief.")
    assert figures["token_ids_equal"] == len(parity.AWKWARD) + len(parity.QUESTIONS) + 1
    assert figures["top1_agreement"] >= 0.75


def test_another_template_is_named(small, tmp_path):
    template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", chat_template=template)
    with pytest.raises(parity.ParityError, match=r"bad\.gguf: the chat template differs: .*\[user\]"):
        parity.check(replace(small, path=str(path)))


def test_another_tokenizer_is_named(small, tmp_path):
    # the defaults of SentencePiece put a space before every text
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", add_space_prefix=True)
    with pytest.raises(parity.ParityError, match="token ids differ for 'Hello world'"):
        parity.check(replace(small, path=str(path)))


def test_a_second_start_marker_is_found(small, exported, tmp_path):
    # a template without the start marker in training, while llama.cpp sets one
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    merged = tmp_path / "merged"
    merged.mkdir()
    for source in (exported[0] / "merged").iterdir():
        (merged / source.name).write_bytes(source.read_bytes())
    (merged / "chat_template.jinja").write_text(template)
    path = rewritten(Path(small.path), tmp_path / "bad.gguf", chat_template=template)
    with pytest.raises(parity.ParityError, match=r"is \d+ tokens in training, \d+ in llama\.cpp"):
        parity.check(replace(small, path=str(path), base=str(merged)))
