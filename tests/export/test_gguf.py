import shutil

import gguf
import pytest

from ozfig.errors import UserError
from ozfig.export.gguf import convert


def fields(path):
    own = ("GGUF.", "general.file_type", "general.quantization_version")
    return {f.name: f.contents() for f in gguf.GGUFReader(path).fields.values() if not f.name.startswith(own)}


def test_metadata_survives_quantisation(exported):
    folder, _ = exported
    full, small = fields(folder / "site.F16.gguf"), fields(folder / "site.Q4_K_M.gguf")
    assert small == full
    assert small["general.name"] == "site"
    assert small["tokenizer.chat_template"] == (folder / "merged" / "chat_template.jinja").read_text()
    assert len(small["tokenizer.ggml.tokens"]) == 8192
    kind = gguf.GGUFReader(folder / "site.Q4_K_M.gguf").fields["general.file_type"].contents()
    assert kind == gguf.LlamaFileType.MOSTLY_Q4_K_M


def test_nothing_in_the_file_names_this_machine(exported):
    folder, _ = exported
    data = (folder / "site.Q4_K_M.gguf").read_bytes()
    assert str(folder).encode() not in data
    assert b"merged" not in data.split(b"tokenizer.ggml")[0]


def test_a_model_that_gguf_has_no_layout_for_is_one_line(exported, tmp_path):
    folder, _ = exported
    odd = tmp_path / "odd"
    shutil.copytree(folder / "merged", odd)
    config = (odd / "config.json").read_text().replace("LlamaForCausalLM", "OddForCausalLM")
    (odd / "config.json").write_text(config)
    with pytest.raises(UserError, match="cannot be written as GGUF") as caught:
        convert(odd, tmp_path / "odd.gguf", "odd")
    assert "\n" not in str(caught.value)
    assert "OddForCausalLM" in str(caught.value)
    assert not (tmp_path / "odd.gguf").exists()
