import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from ozfig.engines.loading import load_model
from ozfig.recipe import Tune
from ozfig.tune import attention, short_rows, tokens
from ozfig.tune.losses import Loss
from ozfig.tune.plan import batch

from .conftest import SYSTEM, examples

loss = Loss(None, None)


@pytest.fixture
def model(tiny):
    return load_model(tiny, torch.float32).eval()


@pytest.fixture
def rows(tokenizer):
    return tokens.encode_all(examples(4), tokenizer, Tune(), SYSTEM, 256).rows[:6]


def summed(model, sequences, bounds=False):
    """Loss and gradient, summed over sequences."""
    model.zero_grad()
    total = 0.0
    for sequence in sequences:
        inputs = batch([sequence], bounds)
        labels = inputs.pop("labels")
        value = loss(model(**inputs), labels, 1)
        value.backward()
        total += value.item()
    return total, model.model.layers[0].self_attn.q_proj.weight.grad.clone()


def test_packed_rows_have_the_loss_and_gradient_of_rows_alone(model, rows):
    alone, gradient = summed(model, [[row] for row in rows])
    packed, packed_gradient = summed(model, [rows])
    with attention.row_by_row(model):
        apart, apart_gradient = summed(model, [rows], bounds=True)
    assert packed == pytest.approx(alone, rel=1e-5)
    assert apart == pytest.approx(alone, rel=1e-5)
    torch.testing.assert_close(packed_gradient, gradient, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(apart_gradient, gradient, rtol=1e-3, atol=1e-4)


def test_the_comparison_would_see_a_leak(model, rows):
    alone, _ = summed(model, [[row] for row in rows])
    one_row = tokens.Row([i for row in rows for i in row.ids], [i for row in rows for i in row.labels])
    assert abs(summed(model, [[one_row]])[0] - alone) > 1e-3


def test_the_loss_is_that_of_the_model_itself(model, rows):
    inputs = batch([[rows[0]]])
    labels = inputs.pop("labels")
    own = model(input_ids=inputs["input_ids"], labels=labels).loss
    torch.testing.assert_close(loss(model(**inputs), labels), own)
    del inputs["logits_to_keep"]  # a model that does not know the option gives every logit
    torch.testing.assert_close(loss(model(**inputs), labels), own)


def test_a_llama_keeps_rows_apart_and_a_recurrent_model_does_not(model):
    assert attention.isolates_rows(model)
    assert attention.suits_row_by_row(model)
    assert model.config._attn_implementation == "sdpa"
    recurrent = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, state_size=4))
    assert not attention.isolates_rows(recurrent)


def test_a_window_keeps_its_own_attention(model):
    model.config.sliding_window = 16
    assert not attention.suits_row_by_row(model)


@pytest.mark.parametrize("lengths", [[5], [1, 1, 1], [9, 3, 4, 9, 1, 30, 2, 31]])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_short_rows_attend_as_torch_does_row_by_row(lengths, kv_heads):
    torch.manual_seed(0)
    shapes = [(1, heads, sum(lengths), 8) for heads in (4, kv_heads, kv_heads)]
    given = [torch.randn(shape, requires_grad=True) for shape in shapes]
    parts = [
        torch.nn.functional.scaled_dot_product_attention(*row, is_causal=True, enable_gqa=True, scale=0.3)
        for row in zip(*(x.split(lengths, 2) for x in given), strict=True)
    ]
    expected, weights = torch.cat(parts, 2), torch.randn(shapes[0])
    slopes = torch.autograd.grad((expected * weights).sum(), given)
    found = short_rows.attend(*given, lengths, 0.3)
    torch.testing.assert_close(found, expected)
    for quick, slope in zip(torch.autograd.grad((found * weights).sum(), given), slopes, strict=True):
        torch.testing.assert_close(quick, slope)


def test_groups_weigh_padding_against_calls():
    assert short_rows.group([500, 10, 10]) == ((1, 500), (2, 10))
    assert short_rows.group([12, 11, 10]) == ((3, 12),)
    assert short_rows.group([400, 399, 100, 90]) == ((2, 400), (2, 100))


def test_long_and_short_rows_stand_together(model, rows, monkeypatch):
    whole, gradient = summed(model, [rows])
    monkeypatch.setattr(attention, "SHORT", sorted(len(row.ids) for row in rows)[3])
    with attention.row_by_row(model):
        apart, apart_gradient = summed(model, [rows], bounds=True)
    assert apart == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(apart_gradient, gradient, rtol=1e-3, atol=1e-4)
