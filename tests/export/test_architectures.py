"""Tiny random checkpoints of the families that people tune, exported and checked against themselves in llama.cpp."""

import os
import shutil
from pathlib import Path

import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ozfig import files, prompts
from ozfig.errors import UserError
from ozfig.export import gguf, stage
from ozfig.types import ModelRef

from .conftest import make_job

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "initializer_range": 0.06,  # so that some tokens are clearly likelier than others
}
SMALL = {"n_embd": 256, "n_layer": 2, "n_head": 4, "initializer_range": 0.06}
SENTENCEPIECE = {
    "llama": hf.LlamaConfig(**SIZES, attention_bias=True, tie_word_embeddings=False),
    "mistral": hf.MistralConfig(**SIZES, head_dim=64, sliding_window=None),
    "gemma2": hf.Gemma2Config(**SIZES, head_dim=64, query_pre_attn_scalar=64, sliding_window=128),
}
BPE = {
    "qwen2": hf.Qwen2Config(**SIZES),
    "phi3": hf.Phi3Config(**SIZES | {"num_key_value_heads": 4}),
    "phi": hf.PhiConfig(**SIZES | {"num_key_value_heads": 4, "intermediate_size": 1024}),
    "gpt2": hf.GPT2Config(**SMALL, n_positions=256, n_ctx=256),
    "bloom": hf.BloomConfig(hidden_size=256, n_layer=2, n_head=4, initializer_range=0.06, seq_length=256),
}
# the converter tells BPE tokenizers apart by a hash of what the known ones make of a text; how ours split is known
KNOWN = "import conversion.base as b\nb.TextModel.get_vocab_base_pre = lambda self, tokenizer: '{}'\n"


def checkpoint(config, folder: Path, tokenizer, dtype=torch.bfloat16) -> Path:
    torch.manual_seed(1)
    config.vocab_size = len(tokenizer)
    model = hf.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):  # zeros would hide a bias in another order
                weight.normal_(0, 0.1)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if config.model_type == "phi3":  # as Phi 4 says it
        files.write_json(
            folder / "tokenizer_config.json",
            files.read_json(folder / "tokenizer_config.json") | {"tokenizer_class": "GPT2Tokenizer"},
        )
    return folder


def byte_level(folder: Path):
    """A byte-level BPE tokenizer that splits words as GPT-2 does."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    text = [path.read_text() for path in sorted(Path(__file__).parents[2].glob("docs/*.md"))]
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(text, trainer)
    marker = "<|endoftext|>"
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_object=made, bos_token=marker, eos_token=marker, unk_token=marker)
    tokenizer.chat_template = prompts.template("question_answer").replace("{{ bos_token or '' }}", "")
    return tokenizer


def exported(model: Path, folder: Path, quant: list[str]):
    job = make_job(ModelRef("transformers", str(model), "tiny"), folder, quant)
    job.section.limits.top1 = 0.0  # random weights know no likeliest token
    return stage.run(job)


def looks_right(outcome, composes: bool = False) -> None:
    """`composes`: the tokenizer puts letters and accents together first, which llama.cpp does not."""
    found = outcome.metrics["files"]
    assert found["F16"]["parity"]["kl"] < 1e-4
    assert found["F16"]["parity"]["largest_gap"] < 0.02
    assert found["F16"]["parity"]["reply_tokens"] > 8
    for figures in found.values():
        equal, compared = (figures["parity"][f"token_ids_{name}"] for name in ("equal", "compared"))
        assert compared > 200
        assert (equal < compared) == composes
        assert equal > 0.95 * compared
    assert found["Q8_0"]["parity"]["kl"] < found["Q4_K_M"]["parity"]["kl"] < 0.15


@pytest.mark.parametrize("family", SENTENCEPIECE)
def test_a_family_answers_in_llama_cpp_as_in_training(family, pebble, tmp_path):
    tokenizer = hf.AutoTokenizer.from_pretrained(pebble)
    model = checkpoint(SENTENCEPIECE[family], tmp_path / "model", tokenizer)
    shutil.copyfile(pebble / "tokenizer.model", model / "tokenizer.model")
    looks_right(exported(model, tmp_path / "export", ["F16", "Q8_0", "Q4_K_M"]))


@pytest.mark.parametrize("family", BPE)
def test_a_family_with_byte_level_bpe_answers_in_llama_cpp_as_in_training(family, tmp_path, monkeypatch):
    model = checkpoint(BPE[family], tmp_path / "model", byte_level(tmp_path))
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "sitecustomize.py").write_text(KNOWN.format("qwen2" if family == "qwen2" else "gpt-2"))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'known'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    looks_right(exported(model, tmp_path / "export", ["F16", "Q8_0", "Q4_K_M"]), composes=family == "qwen2")


def test_a_bpe_tokenizer_that_the_converter_has_never_seen_is_one_line(tmp_path):
    model = checkpoint(BPE["gpt2"], tmp_path / "model", byte_level(tmp_path))
    with pytest.raises(UserError, match=r"llama\.cpp's converter does not know its BPE tokenizer") as caught:
        gguf.convert(model, tmp_path / "weights.gguf", "tiny")
    assert "\n" not in str(caught.value)
