from ozfig import files
from ozfig.recipe import Recipe, Tune
from ozfig.tune import look
from ozfig.types import Example, Message, ModelRef

from .conftest import examples


def test_shown_rows_come_with_what_had_to_give_way(tiny, tmp_path, capsys):
    silent = Example.make([Message("user", "Hello?")])
    long = Example.pair("Where is Oslo?", "In Norway, " * 90)
    train = tmp_path / "train.jsonl"
    files.write_jsonl(train, [e.to_row() for e in [*examples(30), silent, long]])
    sources = {"sources": [{"kind": "dataset", "path": "faq.csv"}]}
    recipe = Recipe(name="houses", gather=sources, tune=Tune(validation_share=0.2, max_length=120))
    rows = look.shown(recipe, ModelRef("transformers", str(tiny), "tiny"), train, 4)
    assert len(rows) == 4
    assert any(counts for row in rows for _, counts in row)
    line = " ".join(capsys.readouterr().err.split())
    assert "1 dropped, longer than max_length" in line
    assert "1 without a trained token" in line
    assert "only measured on" in line
    assert "cut to" not in line
