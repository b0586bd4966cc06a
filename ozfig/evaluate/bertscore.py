"""BERTScore (Zhang et al. 2020): how well the words of a reply match those of the reference in meaning.

As the authors' package computes it without rescaling: token vectors of one middle layer, the cosine of each
token's best match on the other side, start and end markers left out of the mean (they may be matched, but do not
count themselves). Layers above are never computed, texts of like length share a batch, and what several models
said to the same questions meets references that were encoded once.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ozfig import console, files
from ozfig.engines.embeddings import MINILM_SHA256, minilm_folder
from ozfig.engines.loading import first_line, quiet
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
ONLINE = "FacebookAI/roberta-large"  # the encoder of the package's English default
ENCODED_AT_ONCE = 16
CACHE_BYTES = 256 * 2**20
Triple = tuple[float, float, float]


class Encoded(NamedTuple):
    """A text's unit vectors (tokens, width) and its token ids (tokens,)."""

    vectors: Any
    ids: Any


def chosen(model: str) -> str:
    """The encoder that `auto` stands for: roberta-large where it is here or the hub answers, else minilm."""
    if model != "auto":
        return model
    import httpx
    from huggingface_hub import hf_hub_url, is_offline_mode, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(ONLINE, "model.safetensors"), str):
        return ONLINE
    try:  # the hub's own client would ask for half a minute
        if not is_offline_mode() and not httpx.head(hf_hub_url(ONLINE, "config.json"), timeout=5).is_error:
            return ONLINE
    except httpx.HTTPError:
        console.warn("evaluate: the hub does not answer, so BERTScore uses minilm")
    return "minilm"


def bertscore(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    model: str = "minilm",
    layer: int | None = None,
    idf: bool | Sequence[str] = False,
    cache: Path | None = None,
) -> tuple[list[float], list[float], list[float]]:
    """Precision, recall and F1 of each prediction.

    `model` is minilm, which works offline, or a hub id or folder of any encoder; `layer` is counted from
    1, and is the table's or the last but one by default. `idf` weighs each token by its rarity among the
    references, or among the given texts. Of several references the best counts, for each of the three
    figures on its own, as in the package. A side without words scores 0. `cache` is a folder that keeps the
    encoded references.

    Raises ValueError when the lists differ in length, OutsideError when the encoder cannot be opened.
    """
    groups = [[r] if isinstance(r, str) else list(r) for r in references]
    wanted: dict[str, set[str]] = defaultdict(set)
    for prediction, group in zip(predictions, groups, strict=True):
        wanted[prediction].update(group)
    encoder = Encoder(model, layer)
    known = encoder.references(sorted({text for group in groups for text in group}), cache)
    weights = (
        _rarity(encoder.token_ids([t for group in groups for t in group] if idf is True else idf)) if idf else None
    )
    scored: dict[tuple[str, str], Triple] = {}
    for said, encoded in encoder.encode(sorted(wanted)):
        for text in wanted[said]:
            scored[said, text] = _match(encoded, known[text], encoder, weights)
    best = [
        [max(column) for column in zip(*(scored[said, text] for text in group), strict=True)]
        for said, group in zip(predictions, groups, strict=True)
    ]
    precision, recall, f1 = ([row[i] for row in best] for i in range(3))
    return precision, recall, f1


class Encoder:
    """A tokenizer and the layers of an encoder that are needed; `sha256` names its weights."""

    def __init__(self, model: str, layer: int | None) -> None:
        """Raises OutsideError when the encoder is not on this disk and cannot be fetched."""
        self.tokenizer, self.encoder, self.sha256 = _load(model, layer)
        self.layer = self.encoder.config.num_hidden_layers
        # start and end markers do not count
        self.special = [self.tokenizer.cls_token_id, self.tokenizer.sep_token_id]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text with its markers, cut to what the encoder reads."""
        longest = min(self.tokenizer.model_max_length, getattr(self.encoder.config, "max_position_embeddings", 512))
        return [self.tokenizer(text.strip(), truncation=True, max_length=longest)["input_ids"] for text in texts]

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[str, Encoded]]:
        """Each text with its token vectors, the shortest first, in batches of texts of like length."""
        import torch

        rows = self.token_ids(texts)
        order = sorted(range(len(texts)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), ENCODED_AT_ONCE):
            part = order[start : start + ENCODED_AT_ONCE]
            batch = self.tokenizer.pad({"input_ids": [rows[i] for i in part]}, return_tensors="pt")
            with torch.inference_mode():
                hidden = self.encoder(**batch.to(self.encoder.device)).last_hidden_state.float()
            hidden = torch.nn.functional.normalize(hidden, dim=-1).cpu()
            for i, vectors in zip(part, hidden, strict=True):
                yield texts[i], Encoded(vectors[: len(rows[i])], torch.tensor(rows[i]))

    def references(self, texts: Sequence[str], cache: Path | None) -> dict[str, Encoded]:
        """The same for references, which are read from the cache where this very set was encoded before.

        A set is encoded as a whole or not at all: the last digits of a vector depend on its batch, and the same
        run must end in the same bytes.
        """
        if cache is None:
            return dict(self.encode(texts))
        import torch
        from safetensors.torch import load, save

        path = cache / f"{files.sha256_value([self.sha256, self.layer, list(texts)])[:32]}.safetensors"
        if path.exists():
            stored = load(path.read_bytes())
            sizes = stored["sizes"].tolist()
            pairs = zip(stored["vectors"].split(sizes), stored["ids"].split(sizes), strict=True)
            return {text: Encoded(*pair) for text, pair in zip(texts, pairs, strict=True)}
        found = dict(self.encode(texts))
        rows = [found[text] for text in texts]
        sizes = torch.tensor([len(row.ids) for row in rows])
        joined = {"vectors": torch.cat([r.vectors for r in rows]), "ids": torch.cat([r.ids for r in rows])}
        _keep(path, save({**joined, "sizes": sizes}))
        return found


def _keep(path: Path, data: bytes) -> None:
    """Write to the cache, and delete its oldest files where it grows beyond CACHE_BYTES."""
    if len(data) > CACHE_BYTES:
        return
    files.write_bytes(path, data)
    kept = sorted(path.parent.glob("*.safetensors"), key=lambda p: p.stat().st_mtime_ns)
    total = sum(p.stat().st_size for p in kept)
    for old in kept[:-1]:
        if total > CACHE_BYTES:
            total -= old.stat().st_size
            old.unlink()


def _load(model: str, layer: int | None) -> tuple[Any, Any, str]:
    """Tokenizer, encoder up to its layer, and what names its weights.

    A RoBERTa tokenizer takes the first word as it takes the others, after a space.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging

    where = str(minilm_folder()) if model == "minilm" else model
    heard = logging.get_verbosity()
    logging.set_verbosity_error()  # the layers above are meant to be missing
    try:
        with quiet():
            config = AutoConfig.from_pretrained(where)
            options = {"add_prefix_space": True} if config.model_type == "roberta" else {}
            tokenizer = AutoTokenizer.from_pretrained(where, **options)
            layer = layer or LAYERS.get(model) or max(1, config.num_hidden_layers - 1)
            encoder = AutoModel.from_pretrained(where, num_hidden_layers=layer, use_safetensors=True)
    except OSError as error:
        raise OutsideError(
            f"evaluate.bertscore_model {model!r}: cannot be opened ({first_line(error)}); "
            "minilm works without a network"
        ) from None
    finally:
        logging.set_verbosity(heard)
    # the hub's commit, or what the local files hold
    named = MINILM_SHA256 if model == "minilm" else getattr(config, "_commit_hash", None) or _hashed(Path(where))
    return tokenizer, encoder.to("cuda" if torch.cuda.is_available() else "cpu").eval(), named


def _hashed(folder: Path) -> str:
    return files.sha256_value({p.name: files.sha256_path(p) for p in folder.iterdir() if p.is_file()})


def _rarity(documents: Sequence[Sequence[int]]) -> defaultdict[int, float]:
    """The weight of each token id among the references: log((n + 1) / (references with it + 1))."""
    counts = Counter(token for ids in documents for token in set(ids))
    unseen = math.log(len(documents) + 1)
    known = {token: math.log((len(documents) + 1) / (count + 1)) for token, count in counts.items()}
    return defaultdict(lambda: unseen, known)


def _match(prediction: Encoded, reference: Encoded, encoder: Encoder, weights: dict[int, float] | None) -> Triple:
    """Precision, recall and F1 of one pair by greedy matching."""
    cosines = prediction.vectors @ reference.vectors.T
    sides = (prediction.ids, cosines.max(dim=1).values), (reference.ids, cosines.max(dim=0).values)
    shares = [_weighted(ids, values, encoder.special, weights) for ids, values in sides]
    if None in shares:
        return 0.0, 0.0, 0.0
    precision, recall = shares
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if not math.isclose(total, 0) else 0.0


def _weighted(ids: Any, values: Any, special: Sequence[int], weights: dict[int, float] | None) -> Any:
    """The weighted mean of the tokens' best matches; None for a side without words."""
    counted = [(v, t) for v, t in zip(values.tolist(), ids.tolist(), strict=True) if t not in special]
    if not counted:
        return None
    shares = [weights[token] if weights else 1.0 for _, token in counted]
    total = math.fsum(shares)
    return math.fsum(v * w for (v, _), w in zip(counted, shares, strict=True)) / total if total else 0.0
