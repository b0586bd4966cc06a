"""A tokenizer that Transformers saved reads text in llama.cpp as it does in training."""

import shutil

import pytest
import sentencepiece

from ozfig.engines.gguf import LlamaServer
from ozfig.engines.loading import load_tokenizer
from ozfig.export import awkward, gguf, vocabulary


@pytest.fixture(scope="module")
def saved(pebble, tmp_path_factory):
    """pebble as `save_pretrained` leaves it: without tokenizer.model."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    shutil.copytree(pebble, folder)
    (folder / vocabulary.NAME).unlink()
    return folder


def test_scores_are_had_back_from_the_merges(saved, pebble, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "model")
    vocabulary.add(folder)
    made = sentencepiece.SentencePieceProcessor(str(folder / vocabulary.NAME))
    true = sentencepiece.SentencePieceProcessor(str(pebble / vocabulary.NAME))
    assert made.vocab_size() == true.vocab_size()
    assert [made.id_to_piece(i) for i in range(8192)] == [true.id_to_piece(i) for i in range(8192)]
    text = "  The boatyard's crane lifts 12.5 t — größer als früher 🚤"
    assert made.encode(text) == true.encode(text)


def test_llama_cpp_reads_text_as_training_does(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "model")
    vocabulary.add(folder)
    gguf.convert(folder, tmp_path / "model.gguf", "model")
    tokenizer = load_tokenizer(folder)
    with LlamaServer(tmp_path / "model.gguf", context=256, slots=1) as server:
        for text in awkward.texts(tokenizer.all_special_tokens):
            assert server.tokenize(text) == tokenizer(text, add_special_tokens=False)["input_ids"], text


def test_a_vocabulary_that_is_there_is_left_alone(pebble, tmp_path):
    folder = shutil.copytree(pebble, tmp_path / "model")
    vocabulary.add(folder)
    assert (folder / vocabulary.NAME).read_bytes() == (pebble / vocabulary.NAME).read_bytes()
