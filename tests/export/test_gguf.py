import shutil

import gguf
import pytest
from gguf.quants import dequantize
from safetensors.torch import load_file, save_file

from ozfig.errors import UserError
from ozfig.export.gguf import convert, lossless, quantised


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


def overflowing(merged, target):
    """The model with one weight that float16 cannot hold."""
    shutil.copytree(merged, target)
    weights = load_file(target / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] = 1e5
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_a_weight_beyond_float16_is_named_and_bfloat16_keeps_it(exported, tmp_path):
    merged = overflowing(exported[0] / "merged", tmp_path / "merged")
    assert lossless(merged) == "BF16"
    convert(merged, tmp_path / "weights.gguf", "big")
    with pytest.raises(UserError, match=r"export\.quant: F16: blk\.1\.ffn_up\.weight: .*BF16"):
        quantised(tmp_path / "weights.gguf", {"Q8_0": tmp_path / "b.gguf", "F16": tmp_path / "a.gguf"})
    assert not list(tmp_path.glob("?.gguf"))
    quantised(tmp_path / "weights.gguf", {"BF16": tmp_path / "c.gguf"})
    stored = next(t for t in gguf.GGUFReader(tmp_path / "c.gguf").tensors if t.name == "blk.1.ffn_up.weight")
    assert dequantize(stored.data, stored.tensor_type).max() == pytest.approx(1e5, rel=2**-8)


def test_files_made_in_one_pass_are_those_made_alone(exported, tmp_path):
    folder, _ = exported
    convert(folder / "merged", tmp_path / "weights.gguf", "site")
    quantised(tmp_path / "weights.gguf", {"Q8_0": tmp_path / "alone.gguf"})
    assert (tmp_path / "alone.gguf").read_bytes() == (folder / "site.Q8_0.gguf").read_bytes()
