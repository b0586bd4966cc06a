"""The quick way of training gives what the plain one gives: the same loss, the same gradients."""

from contextlib import ExitStack

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from ozfig.engines.loading import load_model
from ozfig.recipe import Tune
from ozfig.tune import adapters, attention, fast, losses, tokens
from ozfig.tune.plan import batch

from .conftest import SYSTEM, examples


@pytest.fixture
def rows(tokenizer):
    return tokens.encode_all(examples(6), tokenizer, Tune(), SYSTEM, 256).rows[:7]


def prepared(tiny, dtype, **options):
    """A tiny model whose adapter is not zero any more."""
    model = adapters.attach(load_model(tiny, dtype), Tune(**options), 7).train()
    if options.get("method") != "full":
        torch.manual_seed(1)
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.1)
    return model


def measured(model, rows, quick):
    """Loss and gradients of one micro-batch, in the plain or in the quick way."""
    model.zero_grad()
    with ExitStack() as stack:
        head = losses.head_of(model) if quick else None
        if quick:
            assert head is not None
            assert stack.enter_context(fast.quick_parts(model)) > 5
            stack.enter_context(losses.pass_through(head))
            stack.enter_context(attention.row_by_row(model))
        inputs = batch([rows], bounds=quick)
        labels = inputs.pop("labels")
        value = losses.Loss(head, None)(model(**inputs), labels, 100)
        value.backward()
    return value.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("options", [{}, {"rslora": True, "rank": 4}, {"method": "full"}, {"dora": True}])
def test_the_quick_way_has_the_loss_and_gradients_of_the_plain_one(tiny, rows, options):
    model = prepared(tiny, torch.float32, **options)
    value, slopes = measured(model, rows, quick=False)
    quick_value, quick_slopes = measured(model, rows, quick=True)
    assert quick_value == pytest.approx(value, rel=1e-5)
    assert len(slopes) > 10
    for name, slope in slopes.items():
        largest = slope.abs().max()
        assert largest > 0, name
        torch.testing.assert_close(quick_slopes[name], slope, rtol=1e-3, atol=1e-4 * float(largest))


def test_in_bf16_the_gradients_point_where_the_exact_ones_do(tiny, rows):
    exact = measured(prepared(tiny, torch.float32), rows, quick=False)[1]
    plain = measured(prepared(tiny, torch.bfloat16), rows, quick=False)
    quick = measured(prepared(tiny, torch.bfloat16), rows, quick=True)
    assert quick[0] == pytest.approx(plain[0], rel=0.01)

    def likeness(found):
        pairs = [(found[name].flatten(), slope.flatten()) for name, slope in exact.items()]
        return min(float(torch.cosine_similarity(a, b, dim=0)) for a, b in pairs)

    assert likeness(quick[1]) > 0.98
    assert likeness(quick[1]) > likeness(plain[1]) - 0.01


def test_the_model_is_as_before_after_the_block(tiny, rows):
    model = prepared(tiny, torch.float32)
    before = measured(model, rows, quick=False)
    measured(model, rows, quick=True)
    assert measured(model, rows, quick=False)[0] == before[0]
    assert not [m for m in model.modules() if "forward" in vars(m)]
    assert not model.get_base_model()._forward_pre_hooks


def test_layers_with_dropout_and_other_variants_stay_as_they_are(tiny):
    plain = {m for m in prepared(tiny, torch.float32).modules() if fast._plain_lora(m)}
    assert len(plain) == 14
    for options in ({"dropout": 0.1}, {"dora": True}):
        assert not any(fast._plain_lora(m) for m in prepared(tiny, torch.float32, **options).modules())


def test_norms_of_another_kind_and_capped_logits_are_left_alone():
    config = Gemma3TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        final_logit_softcapping=0.5,
    )
    model = Gemma3ForCausalLM(config)
    norms = [m for m in model.modules() if type(m).__name__.endswith("RMSNorm")]
    torch.nn.init.normal_(norms[0].weight)
    assert norms
    assert not any(fast._rms_norm(norm) for norm in norms[:1])  # it multiplies by one more than its weight
    torch.nn.init.normal_(model.lm_head.weight)
    assert losses.head_of(model) is None
    model.config.final_logit_softcapping = None
    assert losses.head_of(model) is model.lm_head


def test_a_loss_that_is_huge_is_still_a_number():
    hidden = torch.tensor([[300.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    value = losses._LinearCrossEntropy.apply(hidden, weight, None, torch.tensor([1]))
    value.backward()
    assert value.item() == pytest.approx(600.0)
    torch.testing.assert_close(hidden.grad, torch.tensor([[2.0, 0.0]]))


def test_chunks_sum_up(monkeypatch):
    torch.manual_seed(0)
    hidden, weight = torch.randn(70, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    bias, targets = torch.randn(50, requires_grad=True), torch.randint(50, (70,))
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T + bias, targets, reduction="sum")
    slopes = torch.autograd.grad(expected, (hidden, weight, bias))
    monkeypatch.setattr(losses, "CHUNK_BYTES", 1)
    value = losses._LinearCrossEntropy.apply(hidden, weight, bias, targets)
    torch.testing.assert_close(value, expected)
    for found, slope in zip(torch.autograd.grad(value, (hidden, weight, bias)), slopes, strict=True):
        torch.testing.assert_close(found, slope, rtol=1e-4, atol=1e-4)
