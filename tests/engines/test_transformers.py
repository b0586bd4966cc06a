from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ozfig import prompts
from ozfig.engines.base import Decoding
from ozfig.engines.loading import load_model
from ozfig.engines.transformers import load
from ozfig.errors import UserError
from ozfig.types import Message

SYSTEM = "Be brief."
QUESTIONS = [
    prompts.ask("What is a boat?", SYSTEM),
    prompts.ask("Why?"),
    prompts.ask("How deep is the harbour at low water in winter?", SYSTEM, passage="The harbour is deep. " * 12),
    [*prompts.ask("One?"), Message("assistant", "Two."), Message("user", "Three?")],
    prompts.ask("Name a colour, a bird and a day.", SYSTEM),
]
ANSWERS = ["A boat floats.", "Because.", "It is four metres deep.", "Four.", "Red, gull, Monday."]


def naive_loss(engine, messages, answer):
    """Token by token, one forward pass each, from the tokenizer's own rendering."""
    turns = [{"role": m.role, "content": m.content} for m in messages]
    text = engine.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
    target = [*engine.tokenizer(answer, add_special_tokens=False)["input_ids"], engine.tokenizer.eos_token_id]
    nats = 0.0
    for token in target:
        with torch.inference_mode():
            logits = engine.model(torch.tensor([ids])).logits[0, -1].double()
        nats -= float(torch.log_softmax(logits, -1)[token])
        ids = [*ids, token]
    return nats, len(target)


def test_losses_equal_a_naive_loop(base_engine):
    found = base_engine.losses(QUESTIONS, ANSWERS, batch=4)
    for loss, messages, answer in zip(found, QUESTIONS, ANSWERS, strict=True):
        nats, tokens = naive_loss(base_engine, messages, answer)
        assert loss.tokens == tokens
        assert loss.nats == pytest.approx(nats, rel=1e-5, abs=1e-4)


def test_replies_in_a_batch_equal_replies_one_by_one(base_engine):
    seen = []
    together = base_engine.generate(QUESTIONS, Decoding(max_tokens=12, batch=3), seen.append)
    alone = [base_engine.generate([messages], Decoding(max_tokens=12))[0] for messages in QUESTIONS]
    assert together == alone
    assert seen == [3, 2]
    assert len(set(alone)) > 1


def test_a_reply_ends_at_a_stop_string(base_engine):
    replies = base_engine.generate(QUESTIONS, Decoding(max_tokens=12))
    whole = max(replies, key=len)
    stop = whole[3:6]
    cut = base_engine.generate(QUESTIONS, Decoding(max_tokens=12, stop=("never said", stop)))
    assert cut[replies.index(whole)] == whole[: whole.find(stop)].strip() != whole


def test_a_models_own_sampling_defaults_do_not_change_replies(base):
    engine = load(base)
    model = load_model(Path(base.path), torch.float32)
    model.generation_config.repetition_penalty = 5.0
    other = type(engine)("other", model.eval(), engine.tokenizer)
    decoding = Decoding(max_tokens=12)
    assert other.generate(QUESTIONS, decoding) == engine.generate(QUESTIONS, decoding)


def test_an_adapter_gives_the_replies_and_losses_of_the_peft_model(base, adapter, base_engine):
    from peft import PeftModel

    engine = load(adapter)
    model = PeftModel.from_pretrained(load_model(Path(base.path), torch.float32), adapter.path).eval()
    plain = type(engine)("peft", model.base_model.model, engine.tokenizer)
    for ours, theirs in zip(engine.losses(QUESTIONS, ANSWERS), plain.losses(QUESTIONS, ANSWERS), strict=True):
        assert ours.nats == pytest.approx(theirs.nats, rel=1e-4)
    assert abs(engine.losses(QUESTIONS, ANSWERS)[0].nats - base_engine.losses(QUESTIONS, ANSWERS)[0].nats) > 0.1


def test_a_long_passage_is_cut_from_its_start(base_engine):
    messages = prompts.ask("Where is the key?", SYSTEM, passage="start " + "The sea is wide. " * 600 + "finish")
    ids = base_engine.prompt_ids(messages, room=64)
    text = base_engine.tokenizer.decode(ids)
    assert base_engine.context - 64 - 40 < len(ids) <= base_engine.context - 64
    assert text.startswith(f"<s><|system|>{SYSTEM}")
    assert "start" not in text
    assert text.endswith("finish\n\nWhere is the key?</s><|assistant|>")
    (loss,) = base_engine.losses([messages], ["Under the mat."])
    assert loss.tokens == naive_loss(base_engine, QUESTIONS[1], "Under the mat.")[1]


def test_a_long_history_keeps_its_end(base_engine):
    turns = [Message(role, "word " * 300) for _ in range(4) for role in ("user", "assistant")]
    ids = base_engine.prompt_ids([*turns, Message("user", "And now?")], room=24)
    assert len(ids) == base_engine.context - 24
    assert base_engine.tokenizer.decode(ids).endswith("<|assistant|>")


def test_a_base_without_chat_template_gets_the_plain_one(base, tmp_path):
    import shutil

    folder = tmp_path / "plain"
    shutil.copytree(base.path, folder, ignore=shutil.ignore_patterns("chat_template.jinja"))
    engine = load(replace(base, path=str(folder)))
    assert engine.render(QUESTIONS[1], reply=True) == "<s>question: Why?\nanswer:"
    (loss,) = engine.losses([QUESTIONS[1]], ["So."])
    ids = engine.tokenizer("answer: So.", add_special_tokens=False)["input_ids"]
    start = engine.tokenizer("answer:", add_special_tokens=False)["input_ids"]
    assert loss.tokens == len(ids) - len(start) + 1


def test_a_template_that_refuses_is_the_users_mistake(base):
    engine = load(base)
    engine.tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    with pytest.raises(UserError, match="pebble: its chat template refuses the conversation: no system"):
        engine.generate(QUESTIONS[:1], Decoding())


def test_what_cannot_be_opened_is_one_line(base, tmp_path, adapter):
    for wrong in (replace(base, path=str(tmp_path)), replace(adapter, path=str(tmp_path)), replace(base, kind="gguf")):
        with pytest.raises(UserError) as caught:
            load(wrong)
        assert "\n" not in str(caught.value)
