"""The chat database: what is kept, searched, renamed and removed; its migrations."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from ozfig.errors import OutsideError, UserError
from ozfig.store.database import Store, database_url, migrate
from ozfig.store.models import Base


def test_a_conversation_keeps_its_messages_in_order(store):
    chat = store.create("How long  does a\nboat stay?", "harbour")
    store.add(chat.id, "user", "How long?")
    answer = store.add(chat.id, "assistant", "", "streaming", model_sha256="ab")
    store.save(answer.id, "Four")
    assert store.get(chat.id).messages[1].content == "Four"
    store.finish(answer.id, "Four days", "complete", tokens=2, seconds=0.5)
    kept = store.get(chat.id)
    assert kept.title == "How long does a boat stay?"
    assert [(m.role, m.content, m.status) for m in kept.messages] == [
        ("user", "How long?", "complete"),
        ("assistant", "Four days", "complete"),
    ]
    assert (kept.messages[1].tokens, kept.messages[1].seconds, kept.messages[1].model_sha256) == (2, 0.5, "ab")


def test_the_list_is_newest_first_and_searched_literally(store):
    first, second = store.create("100% of boats", "m"), store.create("Paint prices", "m")
    assert [c.id for c in store.conversations()] == [second.id, first.id]
    store.add(first.id, "user", "again")
    assert [c.id for c in store.conversations()] == [first.id, second.id]
    assert [c.id for c in store.conversations("paint")] == [second.id]
    assert [c.id for c in store.conversations("0%")] == [first.id]
    assert store.conversations("_") == []
    assert [c.id for c in store.conversations("AGAI")] == [first.id], "a word of a message"


def test_rename_and_delete(store):
    chat = store.create("a", "m")
    message = store.add(chat.id, "assistant", "hello")
    store.judge(message.id, rating=1)
    assert store.rename(chat.id, "x" * 300)
    assert len(store.get(chat.id).title) == 80
    assert store.delete(chat.id)
    assert store.get(chat.id) is None
    assert not store.delete(chat.id)
    assert not store.rename("nobody", "b")
    assert store.message(message.id) is None


def test_an_answer_that_a_crash_cut_is_interrupted_at_the_next_start(tmp_path):
    before = Store.open(str(tmp_path / "chat.db"))
    chat = before.create("a", "m")
    before.add(chat.id, "assistant", "half an ans", "streaming")
    before.add(chat.id, "assistant", "whole", "complete")
    after = Store.open(str(tmp_path / "chat.db"))
    assert after.mark_interrupted() == 1
    assert [(m.content, m.status) for m in after.get(chat.id).messages] == [
        ("half an ans", "interrupted"),
        ("whole", "complete"),
    ]


def test_foreign_keys_are_kept(store):
    with pytest.raises(IntegrityError):
        store.add("nobody", "user", "lost")


def test_the_file_is_in_wal_mode(tmp_path):
    Store.open(str(tmp_path / "deep" / "chat.db")).close()
    with sqlite3.connect(tmp_path / "deep" / "chat.db") as raw:
        assert raw.execute("pragma journal_mode").fetchone() == ("wal",)


def test_the_migrations_build_exactly_the_mapped_tables(store):
    engine = store._engine
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_of_a_newer_version_is_named(tmp_path):
    Store.open(str(tmp_path / "chat.db")).close()
    with sqlite3.connect(tmp_path / "chat.db") as raw:
        raw.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(UserError, match="update ozfig"):
        Store.open(str(tmp_path / "chat.db"))


def test_wrong_places_are_explained(tmp_path):
    with pytest.raises(UserError, match="nosuch"):
        Store.open("nosuch://host/db")
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(OutsideError, match=r"notes\.txt"):
        Store.open(str(tmp_path / "notes.txt"))


def test_where_the_database_is(monkeypatch, tmp_path):
    monkeypatch.delenv("OZFIG_DATABASE_URL", raising=False)
    assert database_url().endswith("/.local/share/ozfig/chat.db")
    monkeypatch.setenv("OZFIG_DATABASE_URL", "postgresql://host/db")
    assert database_url() == "postgresql+psycopg://host/db"
    assert database_url(str(tmp_path / "a.db")) == f"sqlite:///{tmp_path}/a.db"


def test_a_live_answer_of_another_server_is_left_alone(store):
    chat = store.create("a", "m")
    live = store.add(chat.id, "assistant", "half", "streaming")
    assert store.mark_interrupted(silent=10) == 0
    assert store.message(live.id).status == "streaming"
    assert store.mark_interrupted() == 1


def test_what_is_edited_or_asked_again_is_kept_beside_the_chat(store):
    chat = store.create("a", "m", settings={"temperature": 0})
    first, answer = store.add(chat.id, "user", "Q"), store.add(chat.id, "assistant", "A")
    assert store.supersede(chat.id, answer.id) == 1
    again = store.add(chat.id, "assistant", "B", model="tuned", sources=[{"url": "u", "text": "T"}])
    assert [(m.id, m.superseded) for m in store.get(chat.id).messages] == [
        (first.id, None), (answer.id, answer.id), (again.id, None)
    ]  # fmt: skip
    assert store.message(again.id).sources == [{"url": "u", "text": "T"}]
    assert store.configure(chat.id, {"system": "Be brief."})
    assert store.get(chat.id).settings == {"system": "Be brief."}
    assert not store.configure("nobody", {})


def test_verdicts_on_answers(store):
    chat = store.create("a", "m", kind="compare")
    asked = store.add(chat.id, "user", "Q")
    one, two = (store.add(chat.id, "assistant", text) for text in ("A", "B"))
    assert not store.judge(asked.id, rating=1)
    assert not store.judge(9999999, rating=1)
    assert store.judge(one.id, rating=-1, correction="C")
    assert store.judge(one.id, preferred=True)
    assert store.judge(two.id, preferred=True), "only one is preferred"
    verdicts = [store.message(m.id).feedback for m in (one, two)]
    assert [(v.rating, v.correction, v.preferred) for v in verdicts] == [(-1, "C", False), (0, "", True)]
    store.add(chat.id, "user", "Q2")
    third = store.add(chat.id, "assistant", "D")
    store.judge(third.id, rating=1)
    judged = [([m.content for m in b], a.content, [m.content for m in o]) for b, a, o in store.judged()]
    assert judged == [(["Q"], "A", ["B"]), (["Q"], "B", ["A"]), (["Q", "B", "Q2"], "D", [])]
    assert store.conversations() == []
    assert [c.id for c in store.conversations(kind="compare")] == [chat.id]


def test_an_answer_is_judged_with_the_turns_that_its_model_saw(store):
    chat = store.create("a", "m")
    q1, _, q2, a2 = (store.add(chat.id, role, text) for role, text in
                      (("user", "Q1"), ("assistant", "A1"), ("user", "Q2"), ("assistant", "A2")))  # fmt: skip
    store.judge(a2.id, rating=1)
    store.supersede(chat.id, q2.id)
    store.add(chat.id, "user", "Q2b")
    other = store.add(chat.id, "assistant", "A2b")
    store.judge(other.id, rating=1)
    store.supersede(chat.id, q1.id)
    assert [[m.content for m in before] for before, *_ in store.judged()] == [["Q1", "A1", "Q2"], ["Q1", "A1", "Q2b"]]


def test_what_an_answer_is_judged_with_holds_no_empty_answers(store):
    chat = store.create("t", "m")
    store.add(chat.id, "user", "Q1")
    store.add(chat.id, "assistant", " ", "interrupted")
    store.add(chat.id, "user", "Q2")
    good = store.add(chat.id, "assistant", "A2")
    store.judge(good.id, rating=1)
    assert [[m.content for m in before] for before, *_ in store.judged()] == [["Q2"]]


def test_a_compared_answer_is_judged_with_the_answers_of_its_own_model(store):
    chat = store.create("t", "a, b", "compare", {"models": ["a", "b"]})
    for number in (1, 2):
        store.add(chat.id, "user", f"Q{number}")
        for name in ("a", "b"):
            last = store.add(chat.id, "assistant", f"{name}{number}", model=name)
    store.judge(last.id, preferred=True)
    [(before, answer, others)] = store.judged()
    assert [m.content for m in before] == ["Q1", "b1", "Q2"]
    assert (answer.content, [m.content for m in others]) == ("b2", ["a2"])


def test_an_error_does_not_tell_what_somebody_wrote(store):
    with pytest.raises(IntegrityError) as caught:
        store.add("nobody", "user", "my secret question")
    assert "secret question" not in str(caught.value)


def test_a_finished_answer_is_not_saved_over(store):
    chat = store.create("t", "m")
    answer = store.add(chat.id, "assistant", "", "streaming")
    store.finish(answer.id, "whole", "complete")
    store.save(answer.id, "wh")
    assert store.message(answer.id).content == "whole"
