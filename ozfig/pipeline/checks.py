"""What would fail later, found before anything starts."""

from __future__ import annotations

from ozfig import prompts, recipes, registry
from ozfig.engines.resolve import locate
from ozfig.errors import UserError
from ozfig.recipe import OtherModel, Recipe
from ozfig.runs import STAGES


def check(recipe: Recipe) -> None:
    """Find what would fail later. Raises UserError for a file that is not there or a name that nothing has."""
    locate(recipe.base)
    for name in STAGES:
        for path in recipes.paths_in(getattr(recipe, name)):
            if not path.exists():
                raise UserError(f"{name}: no such file or folder: {path}")
    if recipe.tune.template != "auto":
        prompts.template(recipe.tune.template)
    for metric in recipe.evaluate.metrics:
        registry.known("metric", metric)
    for point in recipe.evaluate.points:
        if isinstance(point, OtherModel):
            if point.file and not point.file.is_file():
                raise UserError(f"evaluate.points: {point.name}: no such file: {point.model}")
            if not point.is_remote and not point.file:
                locate(point.model)
        elif point.isupper() and point not in recipe.export.quant:
            raise UserError(f"evaluate.points: {point} is not exported; add it to export.quant")
    if recipe.evaluate.tasks:
        registry.find("benchmarks", "names")(recipe.evaluate.tasks)
