"""Every option there is. A field's docstring is its help, its meaning in the docs and the schema's text.

Recipes name things (a `kind`, a model, a file) and never code. Unknown keys are errors that suggest
the nearest known one; names that other tools use for the same thing are accepted and reported.
"""

from __future__ import annotations

from pydantic import Field

from ozfig.recipe.clean import (
    BoilerplateFilter,
    EncodingFilter,
    ExactFilter,
    Filter,
    LanguageFilter,
    LengthFilter,
    NearFilter,
    Part,
    PersonalFilter,
    QuotingFilter,
    RefusalFilter,
    SemanticFilter,
)
from ozfig.recipe.evaluate import Benchmark, Evaluate, RunningText
from ozfig.recipe.export import Export, Limits
from ozfig.recipe.gather import Dataset, Documents, Feedback, Gather, Source, Website
from ozfig.recipe.other import OtherModel, Transcriber
from ozfig.recipe.pairs import NoPairs, PairMaker, Passages, RulePairs, TeacherPairs
from ozfig.recipe.prepare import HeldOut, Leaks, Mix, Prepare
from ozfig.recipe.pretrain import Instruct, Pretrain
from ozfig.recipe.section import Section
from ozfig.recipe.serve import Polish, Serve, WebSearch
from ozfig.recipe.tune import Tune

__all__ = [
    "SYSTEM",
    "Benchmark",
    "BoilerplateFilter",
    "Dataset",
    "Documents",
    "EncodingFilter",
    "Evaluate",
    "ExactFilter",
    "Export",
    "Feedback",
    "Filter",
    "Gather",
    "HeldOut",
    "Instruct",
    "LanguageFilter",
    "Leaks",
    "LengthFilter",
    "Limits",
    "Mix",
    "NearFilter",
    "NoPairs",
    "OtherModel",
    "PairMaker",
    "Part",
    "Passages",
    "PersonalFilter",
    "Polish",
    "Prepare",
    "Pretrain",
    "QuotingFilter",
    "Recipe",
    "RefusalFilter",
    "RulePairs",
    "RunningText",
    "Section",
    "SemanticFilter",
    "Serve",
    "Source",
    "TeacherPairs",
    "Transcriber",
    "Tune",
    "WebSearch",
    "Website",
]

SYSTEM = "You are a helpful and detailed assistant called OzFig"


class Recipe(Section):
    """From sources to a measured assistant."""

    name: str = Field("site", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder name."""
    seed: int = 7
    """Seed of every random choice."""
    base: str = "pebble"
    """Base model: pebble (embedded), minilm (an encoder), a local folder, a hub id (llama, t5, bloom and bert stand \
for one), or the URL of a .tar.gz or .zip of a model folder with #sha256=<its hash>."""
    system: str = SYSTEM
    """The system text, the same in tuning, evaluation and chat."""
    gather: Gather
    """Where the text comes from."""
    prepare: Prepare = Prepare()
    """From text to pairs."""
    tune: Tune = Tune()
    """How the base model is adapted."""
    export: Export = Export()
    """The files to ship."""
    evaluate: Evaluate = Evaluate()
    """What is measured, and how."""
    serve: Serve = Serve()
    """The API and the chat page."""
