"""What can go wrong, named for what the caller does about it.

    OzfigError
    ├── UserError       the input is at fault: one line that says what to change, exit code 2, HTTP 4xx
    │   ├── RecipeError     a key or value of the recipe
    │   └── MissingExtra    an optional part is not installed; the line says which command installs it
    ├── OutsideError    something outside failed (network, disk, another server): run it again, exit code 3
    └── ParityError     (export) the written file does not behave like the model it was made from, exit code 1

Anything else that escapes is a defect of ozfig: a traceback and exit code 1.
"""

from __future__ import annotations


class OzfigError(Exception):
    """A failure that is explained in one line."""

    exit_code = 1


class UserError(OzfigError):
    """The input has to change."""

    exit_code = 2


class RecipeError(UserError):
    """A key or value of the recipe has to change."""


class MissingExtra(UserError):
    """An optional dependency is absent."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs the extra "{extra}": pip install "ozfig[{extra}]"')


class OutsideError(OzfigError):
    """Something outside ozfig failed; the same command may succeed later."""

    exit_code = 3
