"""Which head a base has, from its configuration or its name."""

import pytest

from ozfig.engines import families
from ozfig.engines.resolve import resolve
from ozfig.engines.tokens import counter
from ozfig.errors import UserError


def test_encoders_are_those_of_transformers():
    """Those that fill in masked words and mark answers, and are no encoder-decoders."""
    auto = pytest.importorskip("transformers.models.auto.modeling_auto")
    answering, filling = auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES, auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    decoding = auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    assert (set(answering) & set(filling)) - set(decoding) == families.ENCODERS


@pytest.mark.parametrize(
    ("config", "head"),
    [
        ({"model_type": "llama"}, "causal"),
        ({"model_type": "bloom"}, "causal"),
        ({"model_type": "t5", "is_encoder_decoder": True}, "seq2seq"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "seq2seq"),
        ({"model_type": "bert"}, "span"),
        ({"model_type": "xlm-roberta"}, "span"),
        ({"model_type": "bert", "is_decoder": True}, "causal"),
    ],
)
def test_the_configuration_decides(config, head):
    assert families.head_of(config) == head
    assert families.decided("auto", config, "x") == ("" if head == "causal" else head)
    assert families.decided(head, config, "x") == ("" if head == "causal" else head)


def test_a_head_that_the_base_cannot_have_is_refused(bert):
    with pytest.raises(UserError, match=r"tune\.head: seq2seq: base 'small-bert' \(bert\) is for span"):
        resolve(str(bert), "seq2seq")
    assert resolve(str(bert), "span").head == "span"


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ("t5", "seq2seq"),
        ("bert", "span"),
        ("llama", "causal"),
        ("bloom", "causal"),
        ("facebook/bart-large", "seq2seq"),
        ("google/mt5-small", "seq2seq"),
        ("distilbert-base-uncased", "span"),
        ("FacebookAI/xlm-roberta-base", "span"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "causal"),
    ],
)
def test_a_name_is_enough_for_a_help_text(base, head):
    assert families.guess(base) == head


def test_minilm_is_a_base():
    ref = resolve("minilm")
    assert (ref.kind, ref.name, ref.head) == ("transformers", "minilm", "span")


def test_its_tokens_are_counted_without_padding():
    assert counter(resolve("minilm"))("four words are here") == 4
    assert counter(resolve("minilm"))("word " * 300) == 300


def test_references_say_what_they_are(t5, bert, pebble):
    assert [resolve(str(folder)).head for folder in (t5, bert, pebble)] == ["seq2seq", "span", ""]
    assert "head" not in resolve("pebble").to_row()  # files that were written before heads still read
