"""The files to ship."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from ozfig.recipe.section import Section

Quant = Literal["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q3_K_M"]


class Limits(Section):
    """How far an exported file may be from the model that was trained."""

    kl: NonNegativeFloat | Literal["auto"] = "auto"
    """Mean Kullback-Leibler divergence of the next-token distributions, in nats; auto depends on the quantisation."""
    top1: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Least share of tokens with the same likeliest one; auto depends on the quantisation."""
    gap: NonNegativeFloat = 0.02
    """F16: largest difference of a log-probability between llama.cpp and training, in nats."""


class Export(Section):
    """The files to ship."""

    quant: list[Quant] = Field(["Q4_K_M"], min_length=1)
    """GGUF quantisations; the first is the one that is measured and served."""
    limits: Limits = Limits()
    """How far a file may be from the model that was trained before it is refused."""
