"""llama.cpp answers for a file that comes alone as it does for a file of a run."""

from dataclasses import replace
from pathlib import Path

from ozfig.engines.base import AnswerLoss, Decoding
from ozfig.engines.opening import load
from ozfig.export import gguf
from ozfig.types import Message, ModelRef

QUESTIONS = ["Where is the boatyard?", "What does it cost to lift a boat of nine metres out of the water?", "Hello"]


def test_a_file_alone_answers_as_its_weights_do(base, tmp_path):
    gguf.convert(Path(base.path), tmp_path / "other.gguf", "other")
    beside = ModelRef("gguf", str(tmp_path / "other.gguf"), "other", base.path)
    prompts = [[Message("user", question)] for question in QUESTIONS]
    alone = load(replace(beside, base=""))
    told = []
    replies = alone.generate(prompts, Decoding(max_tokens=12), told.append)
    assert replies == load(beside).generate(prompts, Decoding(max_tokens=12, batch=1))
    assert any(replies)
    assert sum(told) == len(prompts)
    assert alone.losses(prompts, QUESTIONS) == [AnswerLoss(0.0, 0)] * 3
