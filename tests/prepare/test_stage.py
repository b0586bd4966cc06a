"""The stage as the pipeline calls it."""

import csv
import json
from dataclasses import replace

import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.prepare import stage
from ozfig.recipe import Prepare
from ozfig.types import Document, Dropped, Example, Job

NAMES = ["train.jsonl", "held_out.jsonl", "dropped.jsonl", "review.jsonl"]


def job(folder, documents=(), examples=(), **section):
    folder.mkdir(exist_ok=True)
    inputs = {}
    for name, rows in (("documents", documents), ("examples", examples)):
        inputs[name] = folder / f"in_{name}.jsonl"
        files.write_jsonl(inputs[name], (row.to_row() for row in rows))
    if path := section.get("held_out", {}).get("path"):
        inputs["held_out"] = path
        section["held_out"]["path"] = str(path)
    return Job("yard", Prepare(**section), 7, "", folder, inputs, {}, folder / "cache")


def rows(folder, name, kind=Example):
    return [kind.from_row(row) for row in files.read_jsonl(folder / f"{name}.jsonl")]


def test_documents_and_data_sets_together(tmp_path, documents):
    given = [Example.pair(f"Is berth number {n} free?", f"Berth {n} is.", maker="dataset") for n in range(20)]
    outcome = stage.run(job(tmp_path, documents, [*given, given[0]]))
    train, held = rows(tmp_path, "train"), rows(tmp_path, "held_out")
    dropped = rows(tmp_path, "dropped", Dropped)
    assert outcome.outputs == [*NAMES, "index/passages.jsonl", "index/words", "index/starts.npy"]
    figures = outcome.metrics
    assert figures["pairs"]["dataset"] == 21
    assert {"faq", "heading", "definition", "table"} < set(figures["pairs"])
    assert sum(figures["pairs"].values()) == len(train) + len(held) + len(dropped)
    assert (figures["train"], figures["held_out"]) == (len(train), len(held))
    assert sum(figures["dropped"].values()) == len(dropped) == sum(bool(d.neighbour) for d in dropped)
    assert [e.id for e in train] == sorted(e.id for e in train)
    assert not {e.question for e in train} & {e.question for e in held}


def test_the_same_bytes_from_any_order_and_after_an_interruption(tmp_path, documents):
    examples = [Example.pair(f"Is berth number {n} free?", f"Berth {n} is.") for n in range(20)]
    first = tmp_path / "first"
    stage.run(job(first, documents, examples))
    second = tmp_path / "second"
    work = job(second, documents[::-1], examples[::-1])
    (second / "train.jsonl").write_text('{"half a ro')
    stage.run(work)
    assert [(first / n).read_bytes() for n in NAMES] == [(second / n).read_bytes() for n in NAMES]


def test_a_held_out_file_takes_its_questions_out_of_training(tmp_path, documents):
    path = tmp_path / "questions.jsonl"
    row = {
        "question": "Is power there ashore?",
        "answer": "Yes.",
        "document": "winter.html",
        "evidence": "at every place",
    }
    path.write_text(json.dumps(row))
    outcome = stage.run(job(tmp_path / "run", documents, held_out={"path": path}))
    assert outcome.metrics["held_out_without_context"] == 0
    assert "at **every** place" in rows(tmp_path / "run", "held_out")[0].context
    leaked = [d for d in rows(tmp_path / "run", "dropped", Dropped) if d.reason.startswith("leak")]
    assert [(d.example.question, d.neighbour) for d in leaked] == [
        ("Winter storage: is there power ashore?", "Is power there ashore?")
    ]
    assert outcome.metrics["dropped"]["leak: reworded"] == 1


def test_whole_documents_are_held_out(tmp_path):
    examples = [
        Example.pair(
            f"Which colour does {thing} {n} have?", "Red.", context=f"{thing} number {n} is red.", source=thing
        )
        for thing in ("Apple", "Brick", "Coat", "Drum", "Engine")
        for n in range(5)
    ]
    copied = Example.pair("And whose is it?", "Mine.", context=examples[0].context, source="Elsewhere")
    stage.run(
        job(tmp_path, (), [*examples, copied], pairs={"kind": "none"}, held_out={"unit": "document", "share": 0.2})
    )
    train, held = rows(tmp_path, "train"), rows(tmp_path, "held_out")
    assert held
    assert not {e.source for e in train} & {e.source for e in held}
    assert not {e.context for e in train} & {e.context for e in held}


def test_nothing_found_says_what_to_change(tmp_path):
    bare = [Document.make("a", "Nothing", "short")]
    with pytest.raises(UserError, match=r"no pairs found in 1 documents.*data set"):
        stage.run(job(tmp_path, bare))


def test_both_sides_need_rows(tmp_path):
    with pytest.raises(UserError, match="1 pairs to train on and 0 held-out"):
        stage.run(job(tmp_path, (), [Example.pair("Why?", "So it is.")]))


def test_a_company_s_own_pairs(tmp_path, data):
    """Real question-answer pairs, cleaned by hand before: duplicates remain and are taken out once."""
    path = data / "cazton" / "complete_data.csv"
    if not path.exists():
        pytest.skip(f"real data not found: {path}")
    with path.open(encoding="utf-8", newline="") as lines:
        examples = [Example.pair(r["questions"].strip(), r["answers"].strip()) for r in csv.DictReader(lines)]
    options = {"pairs": {"kind": "none"}, "leaks": {"paraphrase": 0}}
    outcome = stage.run(job(tmp_path / "first", (), examples, held_out={"limit": 100}, **options))
    assert outcome.metrics["held_out"] == 100
    assert outcome.metrics["train"] > 900
    second = stage.run(job(tmp_path / "second", (), rows(tmp_path / "first", "train"), **options))
    assert all(reason.startswith("leak") for reason in second.metrics["dropped"])


def test_what_is_masked_is_masked_wherever_it_is_shown(tmp_path, documents):
    """A pair keeps its id, so that people can drop and edit what they see."""
    page = Document.make("http://yard.example/who.html", "Who", "# Who looks after it?\n\nAnn, ann@yard.example, does.")
    twice = Example.pair("Who is it?", "Ask ann@yard.example for it.", source="s")
    given = [twice, replace(twice, source="t")]
    clean = [{"kind": "exact"}, {"kind": "personal"}]
    stage.run(job(tmp_path, [*documents, page], given, clean=clean))
    shown = [tmp_path / name for name in ("train.jsonl", "held_out.jsonl", "data.html", "index/passages.jsonl")]
    assert all("[email]" in path.read_text() for path in (tmp_path / "data.html", tmp_path / "index/passages.jsonl"))
    assert not [path.name for path in shown if "ann@" in path.read_text()]
    kept = rows(tmp_path, "train") + rows(tmp_path, "held_out")
    assert [e.answer for e in kept if e.id == twice.id] == ["Ask [email] for it."]


def reworded(n):
    """Questions that hold the same content words, twice each."""
    names = [f"Alpha{i} Beta{i} Gamma{i}" for i in range(n)]
    return [
        Example.pair(ask.format(name), f"Number {i}, {word}.")
        for i, name in enumerate(names)
        for word, ask in (
            ("said Ann", "Where does {} stand?"),
            ("as Bob wrote", "And where do you say that {} stands?"),
        )
    ]


def told(capsys):
    return " ".join(capsys.readouterr().err.split())


def test_much_that_is_taken_out_and_the_counts_are_told(tmp_path, capsys):
    options = {"pairs": {"kind": "none"}, "clean": [], "held_out": {"share": 0.5, "limit": None}}
    outcome = stage.run(job(tmp_path, (), reworded(30), **options))
    n, said = outcome.metrics["dropped"]["leak: reworded"], told(capsys)
    assert n > 12
    assert f'"leak: reworded" took {n} of 60 pairs out ({n / 60:.0%})' in said
    assert f"60 pairs · {60 - n - outcome.metrics['held_out']} to train on" in said
    stage.run(job(tmp_path / "few", (), [Example.pair(f"Is it {n}?", "Yes.") for n in range(20)], **options))
    assert " took " not in told(capsys)


def test_questions_that_change_sides_are_told(tmp_path, capsys):
    """A small source gives its lowest hash; a new question with a lower one takes its place."""
    given = [Example.pair(f"Is berth {name} free?", f"{name} is.") for name in "abcdefghijklmnopqrstuvwxyz"]
    options = {"pairs": {"kind": "none"}, "clean": [], "held_out": {"share": 0.02}, "leaks": {"paraphrase": 0}}
    work = job(tmp_path, (), given, **options)
    stage.run(work)
    first = rows(tmp_path, "held_out")
    stage.run(work)
    assert "held out last time" not in told(capsys)
    added = [Example.pair(f"Is mooring {n} free?", f"{n} is.") for n in range(100)]
    stage.run(job(tmp_path, (), [*given, *added], **options))
    gone = {e.question for e in first} - {e.question for e in rows(tmp_path, "held_out")}
    assert gone
    assert f"{len(gone)} question{'s' * (len(gone) > 1)} held out last time, now trained on" in told(capsys)


@pytest.mark.parametrize("kind", ["held-out", "benchmark"])
def test_a_restored_leak_is_told_by_what_it_repeats(tmp_path, capsys, kind):
    topics = [
        "pump oil",
        "winch grease",
        "hull paint",
        "sail cloth",
        "engine hours",
        "crane weight",
        "dock gate",
        "mast height",
    ]
    given = [Example.pair(f"Who looks after the {topic} in spring?", f"Ann, the {topic}.") for topic in topics]
    file = tmp_path / "asked.jsonl"
    files.write_jsonl(file, [{"question": given[0].question, "answer": "Yes."}])
    section = {"held_out": {"path": file}} if kind == "held-out" else {"leaks": {"benchmarks": [str(file)]}}
    work = job(tmp_path / "run", (), given, pairs={"kind": "none"}, clean=[], **section)
    work.inputs["edits"] = tmp_path / "edits.jsonl"
    files.write_jsonl(work.inputs["edits"], [{"action": "restore", "id": given[0].id}])
    stage.run(work)
    assert f"edits: 1 restored pair with a {kind} question; the scores will flatter" in told(capsys)
