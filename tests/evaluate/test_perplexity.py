import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ozfig.evaluate.perplexity import answer_perplexity, perplexity, token_losses


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=50, max_position_embeddings=16, **sizes)).eval()


def tokenizer(text):
    return {"input_ids": [ord(c) % 50 for c in text]}


TEXT = "the tide turns twice a day and the harbour with it, as every sailor knows"


def test_answers_are_weighted_by_their_tokens():
    value, stderr = answer_perplexity([2.0, 30.0], [1, 10])
    assert value == pytest.approx(math.exp(32 / 11))
    assert stderr > 0
    assert answer_perplexity([4.0, 6.0], [2, 3]) == pytest.approx((math.exp(2), 0))


def test_a_text_that_fits_is_scored_as_the_model_itself_does(model):
    ids = torch.tensor([tokenizer(TEXT[:16])["input_ids"]])
    expected = math.exp(model(ids, labels=ids).loss.item())
    value, stderr = perplexity(model, tokenizer, TEXT[:16])
    assert value == pytest.approx(expected, rel=1e-5)
    assert 0 < stderr < value


def test_each_token_is_scored_once_with_the_context_of_its_window(model):
    ids = tokenizer(TEXT)["input_ids"]
    losses = token_losses(model, ids, context=16, stride=4)
    assert len(losses) == len(ids) - 1
    # token 21 is reached by the third window, which begins at 8
    logits = model(torch.tensor([ids[8:24]])).logits[0, 12].log_softmax(-1)
    assert losses[20] == pytest.approx(-logits[ids[21]].item(), rel=1e-4)


def test_windows_that_do_not_overlap_lose_their_first_tokens(model):
    ids = tokenizer(TEXT)["input_ids"]
    assert len(token_losses(model, ids, context=16, stride=16)) == len(ids) - math.ceil(len(ids) / 16)


def test_what_cannot_be_scored(model):
    with pytest.raises(ValueError, match="too short"):
        perplexity(model, tokenizer, "abcd")
    with pytest.raises(ValueError, match="does not fit"):
        perplexity(model, tokenizer, TEXT, context=8, stride=9)
