"""Families of models: short names for bases, and which head an architecture is tuned with. Imports no torch.

causal continues a text (Llama, GPT-2, Bloom ...), seq2seq reads a text with an encoder and writes another with a
decoder (T5, BART ...), span marks where in a passage the answer stands (BERT, RoBERTa, DistilBERT ...).
"""

from __future__ import annotations

import re
from typing import Any

from ozfig.errors import UserError

NAMES = {
    "llama": "meta-llama/Llama-3.2-1B-Instruct",
    "t5": "google/flan-t5-base",
    "bloom": "bigscience/bloom-560m",
    "bert": "google-bert/bert-base-uncased",
}
# Transformers' types that fill in masked words and mark answers, without those that have a decoder (a test compares)
# fmt: off
ENCODERS = frozenset({
    "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
    "electra", "ernie", "flaubert", "fnet", "funnel", "ibert", "jina_embeddings_v3", "longformer", "luke",
    "megatron-bert", "mobilebert", "modernbert", "mpnet", "mra", "nystromformer", "reformer", "rembert", "roberta",
    "roberta-prelayernorm", "roc_bert", "roformer", "squeezebert", "ultrabert", "xlm", "xlm-roberta",
    "xlm-roberta-xl", "xmod", "yoso",
})
# words of hub names that tell a family where no configuration is at hand
SEQ2SEQ_WORDS = frozenset({
    "t5", "mt5", "umt5", "byt5", "longt5", "codet5", "flan", "ul2", "bart", "mbart", "pegasus", "marian", "opus",
    "prophetnet", "nllb",
})
# fmt: on
ENCODER_WORDS = ENCODERS | {"minilm"}


def head_of(config: dict[str, Any]) -> str:
    """The head that a model's config.json asks for: causal, seq2seq or span."""
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    is_encoder = config.get("model_type") in ENCODERS and not config.get("is_decoder")
    return "span" if is_encoder else "causal"


def decided(wanted: str, config: dict[str, Any], name: str) -> str:
    """The head to tune with: `wanted`, or the model's own for `auto`; empty for causal, as references keep it.

    Raises UserError where the model cannot have it.
    """
    own = head_of(config)
    head = own if wanted == "auto" else wanted
    if head != own:
        raise UserError(
            f"tune.head: {head}: base {name!r} ({config.get('model_type')}) is for {own}; set auto or {own}"
        )
    return "" if head == "causal" else head


def guess(base: str) -> str:
    """The head of a base that is not on this disk, by the words of its name: for help texts, never for training."""
    words = set(re.split(r"[-_.]", NAMES.get(base, base).lower().rsplit("/", 1)[-1]))
    return "seq2seq" if words & SEQ2SEQ_WORDS else "span" if words & ENCODER_WORDS else "causal"
