import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.gather.stage import run
from ozfig.recipe import Gather
from ozfig.recipes import parse
from ozfig.types import Document, Example, Job


def job(folder, *sources, refresh=False):
    section = parse(Gather, {"sources": list(sources)}, "test")
    folder.mkdir(exist_ok=True)
    return Job("test", section, 7, "", folder, {}, {}, folder / "cache", refresh)


@pytest.fixture
def sources(tmp_path):
    site, handbook = tmp_path / "site", tmp_path / "handbook"
    site.mkdir()
    handbook.mkdir()
    (site / "index.html").write_text(f"<main><h1>Yard</h1><p>{'Words of the yard. ' * 20}</p></main>")
    (handbook / "b.md").write_text("# B\n\nShort.")
    (tmp_path / "faq.csv").write_text("question,answer\nq,a\nq,a\n")
    return [
        {"kind": "website", "url": "http://yard.example/", "serve": str(site), "render": "never"},
        {"kind": "documents", "path": str(handbook)},
        {"kind": "dataset", "path": str(tmp_path / "faq.csv")},
    ]


def test_all_sources_end_in_two_files_with_the_same_bytes(tmp_path, sources, capsys):
    outcome = run(job(tmp_path / "one", *sources))
    told = capsys.readouterr().err
    assert f"2 pages and files · {outcome.metrics['characters']} characters · 2 examples" in told
    assert outcome.outputs == ["documents.jsonl", "examples.jsonl"]
    documents = [Document.from_row(row) for row in files.read_jsonl(tmp_path / "one" / "documents.jsonl")]
    assert [d.uri for d in documents] == ["b.md", "http://yard.example/"]
    examples = [Example.from_row(row) for row in files.read_jsonl(tmp_path / "one" / "examples.jsonl")]
    assert [e.question for e in examples] == ["q", "q"]
    assert (outcome.metrics["documents"], outcome.metrics["examples"]) == (2, 2)
    assert outcome.metrics["little_text"] == ["b.md"]
    assert outcome.metrics["characters"] == sum(len(d.text) for d in documents)
    again = run(job(tmp_path / "two", *sources))
    for name in again.outputs:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_same_document_from_two_sources_is_one(tmp_path, sources):
    outcome = run(job(tmp_path / "run", sources[1], sources[1]))
    assert outcome.metrics["documents"] == 1
    assert (tmp_path / "run" / "examples.jsonl").read_text() == ""


def test_nothing_found_says_what_was_looked_at(tmp_path):
    (tmp_path / "empty.csv").write_text("question,answer\n")
    with pytest.raises(UserError, match=r"nothing found in 0 rows of empty\.csv"):
        run(job(tmp_path / "run", {"kind": "dataset", "path": str(tmp_path / "empty.csv")}))
