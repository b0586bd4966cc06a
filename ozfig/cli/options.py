"""The recipe's options, explained under a verb's own help."""

from __future__ import annotations

from itertools import pairwise

from ozfig import console

HELPED = {"run", "gather", "prepare", "tune", "export", "evaluate", "plan", "serve"}


def explain(argv: list[str]) -> None:
    """Print, where the words ask a verb for help, the recipe options that it obeys."""
    if argv and argv[0] in HELPED and {"--help", "-h"} & set(argv):
        _explain(argv[0], _named(argv, "--base"))


def _explain(verb: str, base: str = "") -> None:
    """Print every recipe option that a verb obeys: its section's, or the recipe's top level.

    With a base, only what its head has a use for.
    """
    from ozfig.recipe import Recipe, Tune
    from ozfig.recipes import options

    title = "Options of the recipe"
    if verb in Recipe.model_fields:
        found = options(Recipe.model_fields[verb].annotation)  # type: ignore[arg-type]
        if verb == "tune" and base:
            from ozfig.engines.resolve import head_for

            head = head_for(base)
            found = [row for row in found if row[0] not in Tune.UNUSED[head]]
            title += f" for a {head} model"
        rows = [[f"--set {verb}.{key}=", default, meaning] for key, default, meaning in found]
    else:
        found = [row for row in options(Recipe) if "." not in row[0] and row[0] not in HELPED]
        rows = [[f"--set {key}=", default, meaning] for key, default, meaning in found]
    console.options_table(title, rows)


def _named(argv: list[str], flag: str) -> str:
    """The value that follows a flag, or that it holds after an equals sign; empty without one."""
    given = [b for a, b in pairwise(argv) if a == flag]
    return (given or [a.partition("=")[2] for a in argv if a.startswith(f"{flag}=")] or [""])[-1]
