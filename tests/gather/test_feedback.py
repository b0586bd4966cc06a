"""Feedback of the chat as data."""

import pytest

from ozfig import files
from ozfig.errors import UserError
from ozfig.gather import SourceContext, stage
from ozfig.gather.feedback import gather
from ozfig.recipe import Feedback, Gather
from ozfig.store.database import Store
from ozfig.types import Example, Job, Preference


@pytest.fixture
def database(tmp_path):
    """A chat with a liked, a corrected, a disliked and a preferred answer."""
    store = Store.open(str(tmp_path / "chat.db"))
    chat = store.create("a", "m")
    rows = []
    for question, answer in (("Q1", "good"), ("Q2", "wrong"), ("Q3", "bad"), ("Q4", "first")):
        store.add(chat.id, "user", question)
        rows.append(store.add(chat.id, "assistant", answer, sources=[{"text": "Passage."}] if question == "Q1" else []))
    second = store.add(chat.id, "assistant", "second")
    store.judge(rows[0].id, rating=1)
    store.judge(rows[1].id, rating=-1, correction="right ")
    store.judge(rows[2].id, rating=-1)
    store.judge(second.id, preferred=True)
    cut = store.add(chat.id, "assistant", "half", "interrupted")
    store.judge(cut.id, rating=1)
    store.close()
    return str(tmp_path / "chat.db")


def test_corrections_and_likes_are_examples_and_choices_are_preferences(database, tmp_path):
    found = gather(Feedback(database=database), SourceContext(tmp_path))
    assert [(e.question, e.answer, e.context, e.maker) for e in found.examples] == [
        ("Q1", "good", "Passage.", "feedback"), ("Q2", "right", "", "feedback"), ("Q4", "second", "", "feedback")
    ]  # fmt: skip
    assert [m.content for m in found.examples[1].messages] == ["Q1", "good", "Q2", "right"]
    assert [(p.messages[-1].content, p.chosen, p.rejected) for p in found.preferences] == [
        ("Q2", "right", "wrong"), ("Q4", "second", "first")
    ]  # fmt: skip
    assert found.counts == {"liked": 2, "corrected": 1, "disliked": 2, "preferences": 2}
    only = gather(Feedback(database=database, take=["corrected"]), SourceContext(tmp_path))
    assert [e.answer for e in only.examples] == ["right"]


def test_the_stage_writes_both(database, tmp_path):
    section = Gather(sources=[{"kind": "feedback", "database": database}])
    folder = tmp_path / "gather"
    outcome = stage.run(Job("a", section, 7, "", folder, {}, {}, tmp_path / "cache"))
    assert outcome.outputs == ["documents.jsonl", "examples.jsonl", "preferences.jsonl"]
    assert len([Example.from_row(row) for row in files.read_jsonl(folder / "examples.jsonl")]) == 3
    kept = [Preference.from_row(row) for row in files.read_jsonl(folder / "preferences.jsonl")]
    assert {p.chosen for p in kept} == {"right", "second"}


def test_a_chat_without_feedback_is_told(tmp_path):
    Store.open(str(tmp_path / "empty.db")).close()
    section = Gather(sources=[{"kind": "feedback", "database": str(tmp_path / "empty.db")}])
    with pytest.raises(UserError, match="nothing found in the feedback on 0 answers"):
        stage.run(Job("a", section, 7, "", tmp_path / "gather", {}, {}, tmp_path / "cache"))
