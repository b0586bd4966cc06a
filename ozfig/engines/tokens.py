"""How many tokens a text is for a model, without loading the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ozfig.types import ModelRef


def counter(ref: ModelRef) -> Callable[[str], int]:
    """A function that counts a text's tokens, special ones aside, as the model's own tokenizer makes them.

    Raises UserError when the model's folder has no tokenizer that can be read.
    """
    folder = Path(ref.path if ref.kind == "transformers" else ref.base or ref.path)
    fast = folder / "tokenizer.json"
    if fast.is_file():
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(fast))
        tokenizer.no_truncation()
        tokenizer.no_padding()  # files of encoders may say both
        return lru_cache(4096)(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))
    from ozfig.engines.loading import load_tokenizer

    slow = load_tokenizer(folder)
    return lru_cache(4096)(lambda text: len(slow(text, add_special_tokens=False, verbose=False)["input_ids"]))
