"""Likelihoods over a prefix tree against each sequence read alone, for architectures that differ in attention."""

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from ozfig.engines import likelihood
from ozfig.errors import UserError

SMALL = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA = SMALL | {"num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
MODELS = {
    "llama": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA)), True),
    "learned positions": (
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=64)),
        True,
    ),
    "window": (lambda: MistralForCausalLM(MistralConfig(**LLAMA, sliding_window=6)), False),
    "wide window": (lambda: MistralForCausalLM(MistralConfig(**LLAMA, sliding_window=60)), True),
    "no positions": (lambda: BloomForCausalLM(BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=4)), False),
}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(1)
    make, trees = MODELS[request.param]
    made = make().eval()
    with torch.no_grad():  # fresh weights are so small that attention would hardly matter
        for weight in made.parameters():
            weight.mul_(4 if weight.ndim > 1 else 1)
    return made, trees


def alone(model, context, continuation, limit):
    tokens = [*context, *continuation][-limit - 1 :]
    with torch.no_grad():
        logits = model(torch.tensor([tokens[:-1]])).logits[0, -len(continuation) :]
    own = logits.log_softmax(-1)[range(len(continuation)), list(continuation)]
    return float(own.sum()), logits.argmax(-1).tolist() == list(continuation)


def pairs():
    stem = list(range(5, 25))
    greedy_or_not = [([*stem, 40], [choice, 7]) for choice in range(30, 36)]
    within = [(stem[:9], stem[9:12]), (stem[:9], [3]), (stem, [3]), (stem, [4])]
    apart = [([90, 91], [1, 2, 3]), ([90, 91], [1, 2, 3]), (list(range(50)), list(range(60, 90)))]
    return greedy_or_not + within + apart


def test_each_continuation_as_if_alone(model):
    made, trees = model
    limit = 48
    assert likelihood.takes_trees(made, 40) is trees
    counted = []
    found = likelihood.loglikelihoods(made, pairs(), limit, counted.append)
    expected = [alone(made, *pair, limit) for pair in pairs()]
    assert [value.logprob for value in found] == pytest.approx([value for value, _ in expected], abs=1e-4)
    assert [value.greedy for value in found] == [greedy for _, greedy in expected]
    assert sum(counted) == len(pairs())


def test_what_greedy_decoding_writes_is_greedy():
    torch.manual_seed(1)
    made = LlamaForCausalLM(LlamaConfig(**LLAMA)).eval()
    written = made.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=4, do_sample=False)[0, 3:].tolist()
    other = [*written[:-1], (written[-1] + 1) % 97]
    right, wrong = likelihood.loglikelihoods(made, [([5, 6, 7], written), ([5, 6, 7], other)], 64)
    assert (right.greedy, wrong.greedy) == (True, False)
    assert right.logprob > wrong.logprob


def test_shared_beginnings_are_read_once():
    inputs = [[*range(30), choice] for choice in range(40, 44)] * 2
    rows = list(likelihood.grow(inputs, [[1]] * 8, capacity=256))
    assert [len(row.ids) for row in rows] == [34]
    assert sorted(number for number, _, _ in rows[0].asked) == list(range(8))
    assert [len(row.ids) for row in likelihood.grow(inputs, [[1]] * 8, capacity=0)] == [31] * 4
    # a long context keeps its choices with it, however small a row should be
    assert [len(row.ids) for row in likelihood.grow(inputs, [[1]] * 8, capacity=10)] == [34]


def test_rows_end_where_little_is_shared():
    inputs = [[first, *range(20)] for first in range(50, 60)]
    rows = list(likelihood.grow(inputs, [[1]] * 10, capacity=64))
    assert [len(row.ids) for row in rows] == [63, 63, 63, 21]


def test_nothing_to_score_and_what_does_not_fit():
    made = LlamaForCausalLM(LlamaConfig(**LLAMA)).eval()
    assert likelihood.loglikelihoods(made, [], 64) == []
    with pytest.raises(UserError, match="70 tokens cannot be scored by a context of 64"):
        likelihood.loglikelihoods(made, [([1], [2] * 70)], 64)
