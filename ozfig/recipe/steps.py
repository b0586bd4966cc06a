"""How many tokens an optimizer step has where the recipe leaves it open."""

from __future__ import annotations

import math

STEPS = 200  # aim of batch_tokens: auto
PACKED_LENGTH = 512  # tokens of a step, below which the processor is used badly
LEAST_PACKED = 40  # fewer steps of that size in the whole run are too few to learn in


def auto_batch_tokens(total: float) -> int:
    """The power of two that comes nearest to 200 steps over `total` tokens, from 64 to 65,536.

    512 at least, where 40 steps of that size remain.
    """
    least = PACKED_LENGTH if total >= LEAST_PACKED * PACKED_LENGTH else 64
    return max(least, 1 << round(min(max(math.log2(total / STEPS), 6), 16)))
