"""What a search finds for the held-out questions: shown best last, counted right or wrong, absent without an index."""

import pytest

from ozfig import files
from ozfig.evaluate import retrieved, stage
from ozfig.evaluate.statistics import wilson
from ozfig.retrieval import index
from ozfig.retrieval.chunk import Passage
from ozfig.types import Example

TEXTS = ["The north quay is for ferries.", "The dry dock lifts forty tonnes.", "Diesel is sold on the fuel berth."]
PASSAGES = [Passage(f"{i}.html", f"Page {i}", text) for i, text in enumerate(TEXTS)]


@pytest.fixture
def folder(tmp_path):
    index.build(PASSAGES, tmp_path / "index", "words")
    return tmp_path / "index"


def test_the_best_passage_stands_last(folder):
    item = Example.pair("How many tonnes does the dry dock near the north quay lift?", "Forty.")
    text = retrieved.Found([item], folder, 2).context(item)
    assert text == "Page 0\n\nThe north quay is for ferries.\n\nPage 1\n\nThe dry dock lifts forty tonnes."


def test_recall_is_of_the_questions_that_have_a_right_passage(folder):
    items = [
        Example.pair("Where is diesel sold?", "On the fuel berth.", context=PASSAGES[2].with_title()),
        Example.pair("Who lifts diesel?", "The dock.", context=PASSAGES[1].with_title()),
        Example.pair("Where do ferries go?", "To the north quay."),
    ]
    assert retrieved.Found(items, folder, 2).recall(items) == {
        "k": 2, "n": 2, "recall": 1.0, "low": round(wilson(2, 2)[0], 6), "high": 1.0,
    }  # fmt: skip
    assert retrieved.Found(items, folder, 1).recall(items)["recall"] == 0.5
    assert retrieved.Found(items[2:], folder, 1).recall(items[2:]) is None


def test_a_scrap_of_the_right_passage_is_not_the_right_one(tmp_path):
    pieces = [Passage("dock.html", "", "The dry dock"), Passage("quay.html", "", "The north quay")]
    index.build(pieces, tmp_path / "index", "words")
    asked = "What does the dry dock lift?"
    found = {}
    for name, right in (("scrap", TEXTS[1] + " Boats wait at its gate."), ("half", "The dry dock lifts forty tonnes.")):
        items = [Example.pair(asked, "Forty tonnes.", context=right)]
        found[name] = retrieved.Found(items, tmp_path / "index", 1).recall(items)["recall"]
    assert found == {"scrap": 0.0, "half": 1.0}


def test_wilson_as_published():
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    with pytest.raises(ValueError, match="at least one"):
        wilson(0, 0)


def test_a_run_asks_with_what_it_found(with_knowledge):
    job, open_engine, _ = with_knowledge(base=(0.1, 0.4), tuned=(0.7, 0.9))
    stage.run(job, open_engine)
    found = files.read_json(job.folder / "report.json")
    assert {row["condition"] for row in found["scores"]} == {"closed_book", "gold_context", "retrieved"}
    assert (found["retrieval"]["n"], found["retrieval"]["recall"]) == (20, 1.0)
    rows = [row for row in files.read_jsonl(job.folder / "samples.jsonl") if row["condition"] == "retrieved"]
    assert len(rows) == 48
    assert all(row["prompt"][-1]["content"].count("costs") == 2 for row in rows)


def test_without_documents_the_condition_is_left_out(with_knowledge, capsys):
    import shutil

    job, open_engine, _ = with_knowledge(tuned=(0.7, 0.9))
    shutil.rmtree(job.inputs["index"])
    stage.run(job, open_engine)
    found = files.read_json(job.folder / "report.json")
    assert {row["condition"] for row in found["scores"]} == {"closed_book", "gold_context"}
    assert found["retrieval"] is None
    assert "no documents to search" in capsys.readouterr().err
