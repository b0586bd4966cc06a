"""What the loss is computed on, to be seen before anything is trained."""

from __future__ import annotations

import heapq
from pathlib import Path

from transformers import AutoConfig

from ozfig import console, files
from ozfig.engines.loading import context_length, load_tokenizer
from ozfig.recipe import Recipe
from ozfig.tune import heads, tokens
from ozfig.types import Example, ModelRef


def shown(recipe: Recipe, base: ModelRef, train: Path, n: int) -> list[list[tuple[str, bool]]]:
    """`n` training rows, drawn by their ids, as the model will read them: runs of (text, trained).

    Says how many rows of the whole data will be trained on and what had to give way. Raises UserError when no
    row has a trained token.
    """
    folder, section, head = Path(base.path), recipe.tune, heads.find(base.head)
    tokenizer = load_tokenizer(folder, section.own_template, base.head)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    examples = [Example.from_row(row) for row in files.read_jsonl(train)]
    context = context_length(config, tokenizer)
    data = head.encode_all(examples, tokenizer, section, recipe.system, context)
    console.note(counts(data))
    drawn = heapq.nsmallest(n, examples, key=lambda e: e.id[::-1])
    without_validation = section.model_copy(update={"validation_share": 0.0})
    found = head.encode_all(drawn, tokenizer, without_validation, recipe.system, context)
    return head.show(found.rows, tokenizer, n)


def counts(data: tokens.TokenSet) -> str:
    """One line: the rows, the tokens with a loss, and what was dropped, cut or has no trained token."""
    size, trained = sum(row.longest for row in data.rows), sum(row.trained for row in data.rows)
    parts = [f"{len(data.rows):,} rows, {size:,} tokens, {trained:,} of them trained ({trained / size:.0%})"]
    given = {
        "only measured on": len(data.validation),
        "dropped, longer than max_length": data.dropped_long,
        "cut to max_length": data.rows_cut,
        "with a shortened passage": data.cut,
        "without a trained token": data.without_loss,
    }
    return "; ".join([*parts, *(f"{n:,} {what}" for what, n in given.items() if n)])
