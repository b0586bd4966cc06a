"""Causal attention over many short rows at once by plain matrix products: what a CPU does fastest.

Flash kernels stream blocks to save memory that short rows do not need; on a CPU their backward pass takes five
times as long as a batched product. Rows of like length are gathered into groups, padded to the longest of the
group; a padded key comes after every real query of its row, so the causal mask hides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

GROUP_COST = 10_000  # squared tokens whose attention takes as long as the calls for one more group
Groups = tuple[tuple[int, int], ...]  # rows and padded length of each group


@dataclass(frozen=True)
class Places:
    """Where (token, head) pairs stand among the groups, which hold (row, head, token).

    `taken` lists the pair at each place, `back` the place of each pair, `padding` the places past a row's end.
    """

    taken: torch.Tensor
    back: torch.Tensor
    padding: torch.Tensor


def group(lengths: Sequence[int]) -> Groups:
    """Groups of rows sorted by falling length, chosen so that padding and calls together cost least."""
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the first rows, and where their last group begins
    firsts: list[int] = []
    for end, length in enumerate(lengths, 1):
        if not firsts or length < lengths[firsts[-1]]:
            firsts.append(end - 1)
        best.append(min((best[f][0] + GROUP_COST + (end - f) * lengths[f] ** 2, f) for f in firsts))
    groups, end = [], len(lengths)
    while end:
        first = best[end][1]
        groups.append((end - first, lengths[first]))
        end = first
    return tuple(reversed(groups))


@lru_cache(maxsize=8)  # every layer of the model asks for the same
def places(lengths: tuple[int, ...], heads: int) -> tuple[Groups, Places]:
    """The groups of rows that stand one after another, and the way there and back for so many heads."""
    order = np.argsort([-length for length in lengths], kind="stable")
    begins = np.cumsum([0, *lengths[:-1]])
    groups = group([lengths[i] for i in order])
    taken, real, done = [], [], 0
    for rows, longest in groups:
        chosen = order[done : done + rows]
        offsets, ends = np.arange(longest), np.array(lengths)[chosen, None]
        tokens = begins[chosen, None] + np.minimum(offsets, ends - 1)
        pairs = tokens[:, None, :] * heads + np.arange(heads)[:, None]
        taken.append(pairs.ravel())
        real.append(np.broadcast_to((offsets < ends)[:, None, :], pairs.shape).ravel())
        done += rows
    all_taken, all_real = np.concatenate(taken), np.concatenate(real)
    back = np.empty(sum(lengths) * heads, np.int64)
    back[all_taken[all_real]] = np.nonzero(all_real)[0]
    found = (torch.from_numpy(x) for x in (all_taken, back, np.nonzero(~all_real)[0]))
    return groups, Places(*found)


def _by_group(flat: torch.Tensor, groups: Groups, heads: int, kv_heads: int) -> Iterator[torch.Tensor]:
    """Views of shape (rows * kv_heads, heads / kv_heads * length, size): queries that share keys stand together."""
    at = 0
    for rows, length in groups:
        n = rows * heads * length
        yield flat[at : at + n].view(rows * kv_heads, -1, flat.shape[1])
        at += n


def _pairs(heads: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, size) as (tokens * heads, size)."""
    return heads[0].transpose(0, 1).reshape(-1, heads.shape[-1])


def _heads(pairs: torch.Tensor, heads: int) -> torch.Tensor:
    """The way back."""
    return pairs.view(-1, heads, pairs.shape[-1]).transpose(0, 1)[None]


class _Attention(torch.autograd.Function):
    """softmax(scale * q k^T) v within each row, and its gradients from the stored probabilities."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: tuple[int, ...], scale: float
    ) -> torch.Tensor:
        heads, kv_heads = query.shape[1], key.shape[1]
        groups, at_query = places(lengths, heads)
        _, at_key = places(lengths, kv_heads)
        q = _pairs(query).index_select(0, at_query.taken).mul_(scale)
        k, v = (_pairs(x).index_select(0, at_key.taken) for x in (key, value))
        out = torch.empty_like(q)
        sizes = (heads, kv_heads, kv_heads, heads)
        views = [list(_by_group(x, groups, h, kv_heads)) for x, h in zip((q, k, v, out), sizes, strict=True)]
        stored = []
        for (_, length), a, b, c, o in zip(groups, *views, strict=True):
            mask = a.new_full((length, length), -torch.inf).triu(1)
            scores = torch.bmm(a, b.transpose(1, 2)).view(len(a), -1, length, length)
            shares = torch.softmax(scores.add_(mask), -1).view(len(a), -1, length)
            torch.bmm(shares, c, out=o)
            stored.append(shares)
        ctx.save_for_backward(q, k, v, *stored)
        ctx.lengths, ctx.scale = lengths, scale
        return _heads(out.index_select(0, at_query.back), heads)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        q, k, v, *stored = ctx.saved_tensors
        heads = gradient.shape[1]
        groups, at_query = places(ctx.lengths, heads)
        kv_heads = heads * len(k) // len(q)
        _, at_key = places(ctx.lengths, kv_heads)
        g = _pairs(gradient).index_select(0, at_query.taken).index_fill_(0, at_query.padding, 0)
        dq, dk, dv = (torch.empty_like(x) for x in (q, k, v))
        sizes = (heads, kv_heads, kv_heads, heads, heads, kv_heads, kv_heads)
        views = [list(_by_group(x, groups, h, kv_heads)) for x, h in zip((q, k, v, g, dq, dk, dv), sizes, strict=True)]
        for shares, a, b, c, o, da, db, dc in zip(stored, *views, strict=True):
            torch.bmm(shares.transpose(1, 2), o, out=dc)
            inner = torch.bmm(o, c.transpose(1, 2))
            inner = torch._softmax_backward_data(inner, shares, -1, inner.dtype)
            torch.bmm(inner, b, out=da)
            torch.bmm(inner.transpose(1, 2), a, out=db)
        dq.mul_(ctx.scale)
        at = ((dq, at_query, heads), (dk, at_key, kv_heads), (dv, at_key, kv_heads))
        return (*(_heads(d.index_select(0, p.back), h) for d, p, h in at), None, None)


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: Sequence[int], scale: float
) -> torch.Tensor:
    """Causal attention of heads of shape (1, heads, tokens, size) within rows of these lengths; keys may be shared."""
    with torch.autocast(query.device.type, enabled=False):  # it would turn some steps back into float32
        found: torch.Tensor = _Attention.apply(query, key, value, tuple(lengths), scale)
    return found
