"""Flags that several verbs take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

if TYPE_CHECKING:
    from ozfig.recipe import Recipe
    from ozfig.runs import Run

AT_LEAST_ONE = validators.Number(gte=1)
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object on standard output.")]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", negative="", help="Change a recipe value: section.key=value. Repeatable."),
]
Target = Annotated[
    str, Parameter(help="A recipe file, the name of a packaged recipe (demo), a URL, a folder or a data file.")
]

RunFolder = Annotated[Path, Parameter(help="A run folder.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """What every verb that works on a recipe takes."""

    settings: Settings = None
    base: Annotated[str, Parameter(help="The base model, instead of the recipe's; with --help: whose options.")] = ""
    runs: Annotated[Path | None, Parameter(help="The folder that holds the run folders. [default: runs]")] = None
    name: Annotated[str, Parameter(help="The run's folder name, instead of the recipe's.")] = ""
    refresh: Annotated[bool, Parameter(negative="", help="Ask the sources again, even when nothing changed.")] = False
    as_json: Json = False

    def open(self, target: str) -> tuple[Recipe, Run]:
        """The recipe of a target with the command line's changes, and its run.

        The recipe that lies in a run folder belongs to that run, wherever it is.
        """
        from ozfig import recipes
        from ozfig.runs import RECIPE, Run

        own = [f"{key}={value}" for key, value in (("base", self.base), ("name", self.name)) if value]
        recipe = recipes.find(target, [*(self.settings or []), *own])
        home = Path(target).parent
        in_run = Path(target).name == RECIPE and not self.runs and not self.name
        return recipe, Run(home if in_run else (self.runs or Path("runs")) / recipe.name)
