"""Which models are measured: the run's own, every exported file, and any other to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ozfig import files
from ozfig.engines.base import Engine
from ozfig.engines.openai import Endpoint
from ozfig.engines.resolve import resolve
from ozfig.errors import UserError
from ozfig.evaluate.results import STEPS
from ozfig.recipe import Evaluate
from ozfig.recipe.evaluate import POINTS
from ozfig.recipe.other import OtherModel
from ozfig.types import ModelRef


def chosen(section: Evaluate, models: dict[str, ModelRef]) -> dict[str, ModelRef]:
    """The models to measure by point, in the recipe's order; one that the run has not made is left out.

    Raises UserError for a quantisation that was not exported or another model that is not there.
    """
    found: dict[str, ModelRef] = {}
    for point in section.points:
        if isinstance(point, OtherModel):
            found[point.name] = _other(point)
        elif point == "all_quantised":
            found |= {name: ref for name, ref in models.items() if ref.quantisation and not _is_first(name, models)}
        elif point in models:
            found[point] = models[point]
        elif point not in POINTS:
            made = ", ".join(name for name, ref in models.items() if ref.quantisation and name not in POINTS)
            raise UserError(f"evaluate.points: {point} was not exported; export.quant gave {made or 'nothing'}")
    return found


def _is_first(name: str, models: dict[str, ModelRef]) -> bool:
    """Whether a name is the second one of the file that is called quantised."""
    return name != "quantised" and "quantised" in models and models["quantised"].path == models[name].path


def _other(model: OtherModel) -> ModelRef:
    """A reference to another model. What is behind a URL is known by its address alone."""
    if model.file:
        return ModelRef("gguf", str(model.file), model.name, sha256=files.sha256_path(model.file))
    if not model.is_remote:
        found = resolve(model.model)
        return replace(found, name=model.name)
    return ModelRef("openai", model.model, model.name, sha256=files.sha256_value([model.model, model.served_as]))


def steps(models: dict[str, ModelRef]) -> list[tuple[str, str]]:
    """The pairs (a, b) to compare: along the run, tuned with each further file, each other model with tuned."""
    further = [(name, ref) for name, ref in models.items() if name not in POINTS]
    return [
        *STEPS,
        *(("tuned", name) if ref.quantisation else (name, "tuned") for name, ref in further),
    ]


def opener(section: Evaluate) -> Callable[[ModelRef], Engine]:
    """How a model is opened: by its server, or in this process."""
    others = {point.name: point for point in section.points if isinstance(point, OtherModel)}

    def open_engine(ref: ModelRef) -> Engine:
        if ref.kind == "openai":
            from ozfig.engines.remote import RemoteEngine

            other = others[ref.name]
            return RemoteEngine(ref.name, Endpoint(ref.path, other.served_as, other.key_env))
        from ozfig.engines.opening import load

        return load(ref)

    return open_engine
