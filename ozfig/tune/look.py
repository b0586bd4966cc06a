"""What the loss is computed on, to be seen before anything is trained."""

from __future__ import annotations

import heapq
from pathlib import Path

from transformers import AutoConfig

from ozfig import files
from ozfig.engines.loading import context_length, load_tokenizer
from ozfig.recipe import Recipe
from ozfig.tune import heads
from ozfig.types import Example, ModelRef


def shown(recipe: Recipe, base: ModelRef, train: Path, n: int) -> list[list[tuple[str, bool]]]:
    """`n` training rows, drawn by their ids, as the model will read them: runs of (text, trained).

    Raises UserError when none of them has a trained token.
    """
    folder, section, head = Path(base.path), recipe.tune, heads.find(base.head)
    tokenizer = load_tokenizer(folder, section.own_template, base.head)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    rows = (Example.from_row(row) for row in files.read_jsonl(train))
    drawn = heapq.nsmallest(n, rows, key=lambda e: e.id[::-1])
    found = head.encode_all(drawn, tokenizer, section, recipe.system, context_length(config, tokenizer))
    return head.show(found.rows, tokenizer, n)
