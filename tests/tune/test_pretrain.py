import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from ozfig.errors import UserError
from ozfig.recipe import Pretrain
from ozfig.tune import corpus, pretrain

WORDS = ["tide", "harbour", "crane", "sail", "rope", "anchor", "keel", "mast", "deck", "buoy", "quay", "rudder"]


@pytest.fixture(scope="module")
def section(tmp_path_factory) -> Pretrain:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "text.jsonl"
    texts = [" ".join(rng.choice(WORDS, 120)).capitalize() + "." for _ in range(60)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return Pretrain(
        corpus=[str(path)], held_out_share=0.2, vocabulary=300, width=64, layers=1, feed_forward=64, heads=2,
        kv_heads=1, context=32, tokens=8 * 64, batch_tokens=64, lengths={0.0: 16, 0.5: 32}, warmup_steps=2,
        compile=False, eval_steps=4, checkpoint_minutes=60,
    )  # fmt: skip


def weights(figures):
    from safetensors.torch import load_file

    return load_file(f"{figures['model']}/model.safetensors")


def test_a_killed_training_ends_with_the_same_weights(section, tmp_path, monkeypatch):
    whole = pretrain.pretrain(section, tmp_path / "whole")

    class Killed(Exception):
        pass

    calls = []

    def dies_at_five(self, scale, clip=1.0, step=pretrain.MasterOptimizer.step):
        calls.append(scale)
        if len(calls) == 5:
            raise Killed
        return step(self, scale, clip)

    eager = section.model_copy(update={"checkpoint_minutes": 1e-9})
    with monkeypatch.context() as patch:
        patch.setattr(pretrain.MasterOptimizer, "step", dies_at_five)
        with pytest.raises(Killed):
            pretrain.pretrain(eager, tmp_path / "killed")
    state = json.loads((tmp_path / "killed" / "state.json").read_text())
    assert state["step"] == 4
    resumed = pretrain.pretrain(eager, tmp_path / "killed")
    first, second = weights(whole), weights(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed["bits_per_byte"] == whole["bits_per_byte"]


def test_training_learns_and_the_figure_is_bits_per_byte(section, tmp_path):
    longer = section.model_copy(update={"tokens": 64 * 60, "muon_learning_rate": 0.02})
    figures = pretrain.pretrain(longer, tmp_path)
    data = corpus.load([], tmp_path / "tokenizer.model", tmp_path, 0.2)
    fresh, _ = pretrain.bits_per_byte(pretrain.build_model(section), data.held_out, 32, 10**6)
    assert figures["bits_per_byte"] < fresh / 1.5

    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(figures["model"], dtype=torch.bfloat16).eval()
    ids = data.held_out.ids[:65].astype(np.int64)
    nats = 0.0
    for start in (0, 32):
        with torch.no_grad():
            log_probs = log_softmax(model(torch.from_numpy(ids[None, start : start + 32])).logits.float(), -1)[0]
        nats -= sum(float(log_probs[t, ids[start + t + 1]]) for t in range(32))
    size = sum(int(data.held_out.byte_lengths[i]) for i in ids[1:])
    two_windows = corpus.Tokens(data.held_out.ids[:65], data.held_out.byte_lengths)
    bits, error = pretrain.bits_per_byte(model, two_windows, 32, 10**6)
    assert bits == pytest.approx(nats / math.log(2) / size, rel=1e-3)
    assert 0 < error < bits


def test_batches_depend_on_seed_and_step_alone(section):
    tokens = np.arange(3000, dtype=np.uint16)
    whole = list(pretrain.text_batches(section, tokens, 0))
    late = list(pretrain.text_batches(section, tokens, 5))
    assert len(whole) == section.steps
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[5:], late, strict=True))
    assert [ids.shape[1] for ids, _ in whole] == [16] * 4 + [32] * 4
    ids, labels = whole[0]
    assert torch.equal(ids + 1, labels)


def test_the_rate_rises_stays_and_falls_to_zero(section):
    rates = [pretrain.scale_at(section, step) for step in range(section.steps)]
    assert rates[0] == 0.5
    assert rates[3] == 1.0
    assert rates[-1] == pytest.approx(1 / (section.steps * section.decay))


def test_the_share_of_held_out_documents():
    kept = [corpus.is_held_out(str(i), 0.3) for i in range(2000)]
    assert 0.25 < sum(kept) / 2000 < 0.35
    assert kept == [corpus.is_held_out(str(i), 0.3) for i in range(2000)]


def test_tokenizer_gives_the_ids_that_it_was_trained_with(section, tmp_path):
    import sentencepiece
    from transformers import AutoTokenizer

    corpus.train_tokenizer([Path(p) for p in section.corpus], 300, tmp_path / "t.model")
    corpus.save_tokenizer(tmp_path / "t.model", tmp_path / "hf", 32)
    own, theirs = (
        sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "t.model")),
        AutoTokenizer.from_pretrained(tmp_path / "hf"),
    )
    for text in ["tide  two spaces", " leading", "new\nline\ttab", "émoji 😀", "a <0x0A> b", "12345"]:
        assert theirs.encode(text, add_special_tokens=False) == own.encode(text)
        assert theirs.decode(own.encode(text)) == text
    rendered = theirs.apply_chat_template(
        [{"role": "user", "content": "tide"}], add_generation_prompt=True, tokenize=False
    )
    assert rendered == "<s><|user|>tide</s><|assistant|>"


def test_another_corpus_in_the_same_folder_is_refused(section, tmp_path):
    pretrain._check_same(section, [Path(p) for p in section.corpus], tmp_path / "identity.json")
    more = section.model_copy(update={"tokens": 2 * section.tokens})
    pretrain._check_same(more, [Path(p) for p in section.corpus], tmp_path / "identity.json")
    (tmp_path / "other.jsonl").write_text('{"text": "another"}\n')
    with pytest.raises(UserError, match="another corpus"):
        pretrain._check_same(section, [tmp_path / "other.jsonl"], tmp_path / "identity.json")


def test_a_corpus_too_small_for_its_vocabulary_is_one_line(tmp_path):
    (tmp_path / "small.jsonl").write_text('{"text": "so little text"}\n')
    with pytest.raises(UserError, match="too small for vocabulary 8192"):
        corpus.train_tokenizer([tmp_path / "small.jsonl"], 8192, tmp_path / "tokenizer.model")
