"""A tiny Llama under the embedded model's tokenizer, and rows to train it on."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import ozfig
from ozfig import files
from ozfig.engines.loading import load_tokenizer
from ozfig.types import Example, Job, ModelRef

PEBBLE = Path(ozfig.__file__).parent / "models" / "pebble"
SYSTEM = "Be brief."


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    # sums in another order would change the last bits
    torch.set_num_threads(1)


@pytest.fixture
def tokenizer():
    return load_tokenizer(PEBBLE)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    tokenizer = load_tokenizer(PEBBLE)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        initializer_range=0.3,  # frozen random embeddings near zero could not be learned over
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="bfloat16",
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def examples(n: int = 24) -> list[Example]:
    names = ["red", "green", "blue", "white", "black", "grey"]
    return [
        Example.pair(
            f"Which colour has house number {i}?",
            f"House {i} is {names[i % 6]}.",
            context=f"In the street of {names[(i + 2) % 6]} doors house {i} is {names[i % 6]}, as everybody knows.",
        )
        for i in range(n)
    ]


def make_job(section, folder: Path, base: Path, rows: list[Example] | None = None) -> Job:
    train = folder.parent / "train.jsonl"
    files.write_jsonl(train, [row.to_row() for row in rows or examples()])
    models = {"base": ModelRef("transformers", str(base), "tiny")}
    return Job("houses", section, 7, SYSTEM, folder, {"train": train}, models, folder / "cache")
