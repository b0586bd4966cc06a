"""The files to ship."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ozfig.recipe.section import Section


class Export(Section):
    """The files to ship."""

    quant: list[Literal["Q4_K_M", "Q8_0", "F16"]] = Field(["Q4_K_M"], min_length=1)
    """GGUF quantisations; the first is the one that is measured and served."""
