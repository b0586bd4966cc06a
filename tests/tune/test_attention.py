import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from ozfig.engines.loading import load_model
from ozfig.recipe import Tune
from ozfig.tune import attention, tokens
from ozfig.tune.plan import batch, loss

from .conftest import SYSTEM, examples


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
