"""BERTScore (Zhang et al. 2020): how well the words of a reply match those of the reference in meaning.

As the authors' package computes it without idf weights and without rescaling: token vectors of one middle
layer, the cosine of each token's best match on the other side, start and end markers left out of the mean
(they may be matched, but do not count themselves).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ozfig.engines.embeddings import minilm_folder
from ozfig.engines.loading import quiet
from ozfig.errors import OutsideError

# the layer that agreed best with people on WMT16, from the package's own table; for MiniLM, which it does
# not list, the last but one, as for the other encoders of six layers
LAYERS = {
    "minilm": 5,
    "roberta-large": 17,
    "FacebookAI/roberta-large": 17,
    "roberta-base": 10,
    "FacebookAI/roberta-base": 10,
    "bert-base-uncased": 9,
    "google-bert/bert-base-uncased": 9,
    "distilbert-base-uncased": 5,
    "distilbert/distilbert-base-uncased": 5,
}
ENCODED_AT_ONCE = 32


class Encoded(NamedTuple):
    """A text's unit vectors (tokens, width) and the mask (tokens,) of those that count."""

    vectors: Any
    counts: Any


def bertscore(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    model: str = "minilm",
    layer: int | None = None,
) -> tuple[list[float], list[float], list[float]]:
    """Precision, recall and F1 of each prediction.

    `model` is minilm, which works offline, or a hub id or folder of any encoder; `layer` is counted from
    1, and is the table's or the last but one by default. Of several references the best counts, for each of
    the three figures on its own, as in the package. A side without words scores 0.

    Raises ValueError when the lists differ in length.
    """
    groups = [[r] if isinstance(r, str) else list(r) for r in references]
    pairs = [(p, r) for p, group in zip(predictions, groups, strict=True) for r in group]
    encoded = encode(sorted({text for pair in pairs for text in pair}), model, layer)
    scored = iter([_match(encoded[p], encoded[r]) for p, r in pairs])
    best = [[max(column) for column in zip(*(next(scored) for _ in group), strict=True)] for group in groups]
    precision, recall, f1 = ([row[i] for row in best] for i in range(3))
    return precision, recall, f1


def encode(texts: Sequence[str], model: str = "minilm", layer: int | None = None) -> dict[str, Encoded]:
    """The token vectors of each text, encoded in batches of texts of like length."""
    import torch

    tokenizer, encoder = _load(model)
    layer = layer or LAYERS.get(model) or max(1, encoder.config.num_hidden_layers - 1)
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    longest = min(tokenizer.model_max_length, getattr(encoder.config, "max_position_embeddings", 512))
    rows = [tokenizer(text.strip(), truncation=True, max_length=longest)["input_ids"] for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(rows[i]))
    found: dict[str, Encoded] = {}
    for start in range(0, len(order), ENCODED_AT_ONCE):
        part = order[start : start + ENCODED_AT_ONCE]
        batch = tokenizer.pad({"input_ids": [rows[i] for i in part]}, return_tensors="pt").to(encoder.device)
        with torch.inference_mode():
            hidden = encoder(**batch, output_hidden_states=True).hidden_states[layer].float()
        hidden = torch.nn.functional.normalize(hidden, dim=-1).cpu()
        for i, vectors in zip(part, hidden, strict=True):
            counts = torch.tensor([token not in special for token in rows[i]])
            found[texts[i]] = Encoded(vectors[: len(rows[i])], counts)
    return found


def _load(model: str) -> tuple[Any, Any]:
    """Tokenizer and encoder. A RoBERTa tokenizer takes the first word as it takes the others, after a space.

    Raises OutsideError when the encoder is not on this disk and cannot be fetched.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    where = str(minilm_folder()) if model == "minilm" else model
    try:
        with quiet():
            options = {"add_prefix_space": True} if AutoConfig.from_pretrained(where).model_type == "roberta" else {}
            tokenizer = AutoTokenizer.from_pretrained(where, **options)
            encoder = AutoModel.from_pretrained(where, use_safetensors=True)
    except OSError as error:
        raise OutsideError(
            f"evaluate.bertscore_model {model!r}: cannot be opened ({str(error).strip().splitlines()[0]}); "
            "minilm works without a network"
        ) from None
    return tokenizer, encoder.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _match(prediction: Encoded, reference: Encoded) -> tuple[float, float, float]:
    """Precision, recall and F1 of one pair by greedy matching."""
    if not prediction.counts.any() or not reference.counts.any():
        return 0.0, 0.0, 0.0
    cosines = prediction.vectors @ reference.vectors.T
    precision = float(cosines.max(dim=1).values[prediction.counts].mean())
    recall = float(cosines.max(dim=0).values[reference.counts].mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if not math.isclose(total, 0) else 0.0
