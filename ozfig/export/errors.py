"""What export itself can find wrong."""

from __future__ import annotations

from ozfig.errors import OzfigError


class ParityError(OzfigError):
    """The exported file does not behave like the model that it was made from."""
