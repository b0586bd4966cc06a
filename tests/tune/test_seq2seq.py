"""Encoder-decoders: what is read and said, and a T5 that learns a task from nothing."""

from dataclasses import replace

import pytest
import torch
import transformers
from peft import PeftModel

from ozfig import files
from ozfig.engines import opening
from ozfig.engines.base import Decoding
from ozfig.engines.loading import load_model, load_tokenizer
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError
from ozfig.prompts import ask
from ozfig.recipe import Tune
from ozfig.tune import checkpoints, stage
from ozfig.tune.heads import batches, seq2seq
from ozfig.tune.tokens import IGNORED, Row
from ozfig.types import Example, Message

from ..conftest import make_t5
from .conftest import SYSTEM, examples, make_job

WORDS = ["red", "green", "blue", "white", "black", "grey", "pink", "gold"]


@pytest.fixture
def tokenizer(t5):
    return load_tokenizer(t5, head="seq2seq")


def job_of(folder, base, section, rows=None):
    return replace(make_job(section, folder, base, rows), models={"base": resolve(str(base))})


def test_the_encoder_reads_the_prompt_and_the_decoder_says_the_answer(tokenizer):
    pair = Example.pair("Which colour?", "blue", context="The door is red.")
    data = seq2seq.encode_all([pair], tokenizer, Tune(head="seq2seq", context="mixed"), SYSTEM, 128)
    texts = [tokenizer.decode(row.ids, skip_special_tokens=True) for row in data.rows]
    assert [" ".join(t.split()) for t in texts] == [
        tokenizer.decode(tokenizer("Be brief. " + t).input_ids, skip_special_tokens=True)
        for t in ("Which colour?", "The door is red. Which colour?")
    ]
    for row in data.rows:
        assert row.labels == [*tokenizer("blue", add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        assert row.ids[-1] == tokenizer.eos_token_id
    [first, _] = seq2seq.show(data.rows, tokenizer)
    assert [trained for _, trained in first] == [False, True]
    assert first[1][0].startswith("blue")


def test_every_turn_is_a_row(tokenizer):
    turns = [Message("user", "a"), Message("assistant", "red"), Message("user", "b"), Message("assistant", "blue")]
    rows = seq2seq.encode(tokenizer, turns)
    assert [tokenizer.decode(row.labels, skip_special_tokens=True) for row in rows] == ["red", "blue"]
    assert len(rows[1].ids) > len(rows[0].ids)
    assert seq2seq.encode(tokenizer, turns[1:2]) == []


def test_long_passages_are_cut_and_long_answers_dropped(tokenizer):
    long = Example.pair("Which?", "blue", context="red door " * 200)
    wordy = Example.pair("Which?", "blue " * 200)
    data = seq2seq.encode_all([long, wordy], tokenizer, Tune(head="seq2seq", context="always"), "", 128)
    assert (data.cut, data.dropped_long, len(data.rows)) == (1, 1, 1)
    assert 64 < len(data.rows[0].ids) <= 128


def test_a_batch_hides_padding_and_shifts_the_answer_by_one(t5, tokenizer):
    model = load_model(t5, torch.float32, "seq2seq")
    rows = [Row([5, 6, 7, 1], [8, 9, 1]), Row([5, 1], [8, 1])]
    given = seq2seq.batches_of(model, tokenizer)([rows])
    assert given["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert given["labels"].tolist() == [[8, 9, 1], [8, 1, IGNORED]]
    assert given["decoder_input_ids"].tolist() == [[0, 8, 9], [0, 8, 1]]
    labels = given.pop("labels")
    together = seq2seq.loss(model(**given), labels)
    alone = [model(input_ids=torch.tensor([r.ids]), labels=torch.tensor([r.labels])).loss * len(r.labels) for r in rows]
    assert together.item() == pytest.approx(sum(alone).item() / 5, abs=1e-5)


def test_batches_are_of_like_length_and_every_row_is_in_one():
    rows = [Row([1] * (3 + i % 40), [1]) for i in range(200)]
    plan = batches.make_plan(rows, Tune(head="seq2seq", epochs=2, batch_tokens=200), 7)
    assert sorted(len(r.ids) for s in plan.sequences for r in s) == sorted(len(r.ids) for r in rows)
    assert all(len(s) * max(r.longest for r in s) <= 200 for s in plan.sequences)
    padding = sum(len(s) * max(r.longest for r in s) - sum(r.longest for r in s) for s in plan.sequences)
    assert padding < 0.1 * sum(r.longest for r in rows)
    assert sorted(plan.order) == sorted([*range(len(plan.sequences))] * 2)
    with pytest.raises(UserError, match=r"tune\.packing.*padded, never packed"):
        batches.make_plan(rows, Tune(head="seq2seq", packing=True), 7)


def test_a_t5_from_nothing_learns_to_copy_the_second_word_of_unseen_pairs(tmp_path):
    """Labels that were shifted by one, or padding that was seen, would leave this at chance."""
    every = [Example.pair(f"{a} {b}", b) for a in WORDS for b in WORDS]
    folder = make_t5(tmp_path / "copier", [SYSTEM, *(e.question for e in every)], d_model=64, d_ff=128)
    held_out, train = every[::7], [e for i, e in enumerate(every) if i % 7]
    section = Tune(method="full", epochs=40, learning_rate=3e-3, batch_tokens=256)
    outcome = stage.run(job_of(tmp_path / "tune", folder, section, train))
    assert outcome.metrics["final_loss"] < 0.05
    engine = opening.load(outcome.models["tuned"])
    replies = engine.generate([ask(e.question, SYSTEM) for e in held_out], Decoding(6, 4))
    right = sum(reply == e.answer for reply, e in zip(replies, held_out, strict=True))
    assert right >= 0.9 * len(held_out)
    losses = engine.losses([ask(e.question, SYSTEM) for e in held_out], [e.answer for e in held_out], 3)
    assert sum(row.nats for row in losses) / sum(row.tokens for row in losses) < 0.3
    wrong = engine.losses([ask(e.question, SYSTEM) for e in held_out], [e.question.split()[0] for e in held_out])
    assert sum(row.nats for row in wrong) > 5 * sum(row.nats for row in losses)


def test_lora_writes_an_adapter_that_peft_opens_and_the_engine_reads(t5, tmp_path):
    job = job_of(tmp_path / "tune", t5, Tune(epochs=8, learning_rate=2e-2, batch_tokens=256))
    outcome = stage.run(job)
    assert outcome.resolved["tune.head"] == "seq2seq"
    assert outcome.metrics["final_loss"] < 0.9 * outcome.metrics["first_loss"]
    tuned = outcome.models["tuned"]
    assert (tuned.kind, tuned.head) == ("adapter", "seq2seq")
    config = files.read_json(tmp_path / "tune/adapter/adapter_config.json")
    assert config["task_type"] == "SEQ_2_SEQ_LM"
    model = PeftModel.from_pretrained(load_model(t5, torch.float32, "seq2seq"), tuned.path)
    assert model.peft_config["default"].r == 16
    prompts, answers = [ask(e.question, SYSTEM) for e in examples(4)], [e.answer for e in examples(4)]
    before, after = (opening.load(ref).losses(prompts, answers) for ref in (job.models["base"], tuned))
    assert sum(x.nats for x in after) < sum(x.nats for x in before)
    assert not (tmp_path / "tune" / checkpoints.FOLDER).exists()


def test_a_reply_does_not_depend_on_what_stands_beside_it(t5):
    engine = opening.load(resolve(str(t5)))
    prompts = [ask("Which colour has house number 3?"), ask("blue", passage="In the street of red doors " * 3)]
    assert engine.generate(prompts, Decoding(5, 2)) == engine.generate(prompts, Decoding(5, 1))
    one, other = engine.losses(prompts, ["blue", "red doors"], 2), engine.losses(prompts, ["blue", "red doors"], 1)
    assert [x.nats for x in one] == pytest.approx([x.nats for x in other], abs=1e-4)


def test_a_prompt_that_is_too_long_keeps_its_question(t5):
    engine = opening.load(resolve(str(t5)))
    ids = engine.prompt_ids(ask("Which colour has house number 3?", passage="red doors " * 400))
    assert len(ids) <= engine.context
    assert "Which colour has house number 3?" in engine.tokenizer.decode(ids)


def test_bart_tunes_and_answers_too(t5, tmp_path):
    """Its decoder starts with another token than padding, and its embeddings have learned positions."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer(t5, head="seq2seq")
    sides = dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64)
    sides |= dict.fromkeys(("encoder_layers", "decoder_layers"), 2)
    sides |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4)
    marks = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.BartConfig(
        vocab_size=len(tokenizer), d_model=32, max_position_embeddings=128, dropout=0.0, **sides, **marks
    )
    transformers.BartForConditionalGeneration(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    section = Tune(method="full", epochs=20, learning_rate=3e-3, batch_tokens=512)
    job = job_of(tmp_path / "tune", tmp_path / "base", section)
    outcome = stage.run(job)
    assert outcome.metrics["final_loss"] < 0.5 * outcome.metrics["first_loss"]
    engine = opening.load(outcome.models["tuned"])
    [reply] = engine.generate([ask(examples(1)[0].question, SYSTEM)], Decoding(12))
    assert "ouse" in reply  # the small vocabulary has no capital H
