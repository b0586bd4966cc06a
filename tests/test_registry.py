"""Every name of the registry leads to something, and every kind of the recipe has a name there."""

from typing import get_args

import pytest

from ozfig import registry
from ozfig.errors import MissingExtra, UserError
from ozfig.recipe import Filter, PairMaker, Source

ROWS = [(group, name) for group, rows in registry.PLUGINS.items() for name in rows]


@pytest.mark.parametrize(("group", "name"), ROWS)
def test_every_row_leads_to_something(group, name):
    assert callable(registry.find(group, name))


@pytest.mark.parametrize(("group", "union"), [("source", Source), ("pairs", PairMaker), ("filter", Filter)])
def test_every_kind_of_the_recipe_has_a_row(group, union):
    kinds = {section.model_fields["kind"].default for section in get_args(get_args(union)[0])}
    assert kinds == set(registry.PLUGINS[group])


def test_a_wrong_name_suggests_the_nearest():
    with pytest.raises(UserError, match="metric 'token_f2': unknown; did you mean token_f1"):
        registry.known("metric", "token_f2")
    with pytest.raises(UserError, match="known: dataset, documents, feedback, website"):
        registry.known("source", "zzz")


def test_a_missing_part_names_its_extra(monkeypatch):
    def absent(module):
        raise ModuleNotFoundError("No module named 'pdfplumber'", name="pdfplumber.page")

    monkeypatch.setattr(registry, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"ozfig\[documents\]"):
        registry.find("source", "documents")
    monkeypatch.setattr(registry, "import_module", lambda m: __import__("nowhere_at_all"))
    with pytest.raises(ModuleNotFoundError):
        registry.find("source", "documents")
