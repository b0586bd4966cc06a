"""The chat database: what is kept, searched, renamed and removed; its migrations."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from ozfig.errors import OutsideError, UserError
from ozfig.store.database import Store, database_url, migrate
from ozfig.store.models import Base


@pytest.fixture
def store(tmp_path):
    store = Store.open(str(tmp_path / "deep" / "chat.db"))
    yield store
    store.close()


def test_a_conversation_keeps_its_messages_in_order(store):
    chat = store.create("How long  does a\nboat stay?", "harbour")
    store.add(chat.id, "user", "How long?")
    answer = store.add(chat.id, "assistant", "", "streaming", model_sha256="ab")
    store.save(answer.id, "Four")
    assert store.get(chat.id).messages[1].content == "Four"
    store.finish(answer.id, "Four days", "complete", 2, 0.5)
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


def test_rename_and_delete(store, tmp_path):
    chat = store.create("a", "m")
    store.add(chat.id, "user", "hello")
    assert store.rename(chat.id, "x" * 300)
    assert len(store.get(chat.id).title) == 80
    assert store.delete(chat.id)
    assert store.get(chat.id) is None
    assert not store.delete(chat.id)
    assert not store.rename("nobody", "b")
    with sqlite3.connect(tmp_path / "deep" / "chat.db") as raw:
        assert raw.execute("select count(*) from messages").fetchone() == (0,)


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


def test_the_file_is_in_wal_mode_with_foreign_keys(store, tmp_path):
    with sqlite3.connect(tmp_path / "deep" / "chat.db") as raw:
        assert raw.execute("pragma journal_mode").fetchone() == ("wal",)
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.add("nobody", "user", "lost")


def test_the_migrations_build_exactly_the_mapped_tables(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine)
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
    assert database_url() == "postgresql://host/db"
    assert database_url(str(tmp_path / "a.db")) == f"sqlite:///{tmp_path}/a.db"
