"""A Docker Space on the Hugging Face hub that serves a published model.

Front matter as the hub reads it: https://huggingface.co/docs/hub/spaces-config-reference
"""

from __future__ import annotations

import re

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ozfig import __version__, files
from ozfig.errors import UserError
from ozfig.export.card import TEMPLATES
from ozfig.export.publish import Publication, check_name
from ozfig.runs import Run


def prepare(run: Run, model: str, repository: str, image: str) -> Publication:
    """Write the Space's files into publish/space/. `model` is the repository that holds the run's GGUF files.

    Raises UserError for a name that cannot be a repository's or an image's, or a run without a GGUF file.
    """
    check_name("--to", model)
    check_name("--space", repository)
    if not re.fullmatch(r"[\w.:/@-]+", image):
        raise UserError(f"--image {image!r}: name the image that deploy/Dockerfile made")
    quantised = run.models().get("quantised")
    if quantised is None:
        raise UserError(f"{run.folder}: this run has no GGUF file to serve")
    # https://huggingface.co/docs/hub/spaces-embed: the address that a Space answers at
    host = re.sub(r"[^a-z0-9]+", "-", repository.lower()).strip("-") + ".hf.space"
    values = {
        "title": run.recipe.name,
        "model": f"{model}:{quantised.quantisation}",
        "image": image,
        "host": host,
        "version": __version__,
    }
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True)
    folder = run.folder / "publish" / "space"
    made = {"README.md": ("space.md.j2", {**values, "model": model}), "Dockerfile": ("space.Dockerfile.j2", values)}
    for name, (template, given) in made.items():
        files.write_text(folder / name, environment.get_template(template).render(**given) + "\n")
    return Publication(repository, {name: folder / name for name in made}, folder / "README.md", "space")
