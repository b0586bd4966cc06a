"""The one owner of the chat database: opens it, brings its schema up to date, reads and writes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, delete, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import lazyload, sessionmaker

from ozfig.errors import OutsideError, UserError
from ozfig.store.models import Conversation, Message, Status, now

DEFAULT = Path("~/.local/share/ozfig/chat.db")
TITLE_LENGTH = 80


def database_url(where: str = "") -> str:
    """The SQLAlchemy URL for a path or URL; without one OZFIG_DATABASE_URL, then the user's own file."""
    where = where or os.environ.get("OZFIG_DATABASE_URL", "") or str(DEFAULT)
    return where if "://" in where else f"sqlite:///{Path(where).expanduser().resolve()}"


class Store:
    """Conversations and messages. Every method is one transaction; returned rows are detached copies."""

    def __init__(self, url: str) -> None:
        self._engine = _connect(url)
        self._session = sessionmaker(self._engine, expire_on_commit=False)

    @classmethod
    def open(cls, where: str = "") -> Store:
        """The database at a path or URL, its schema brought to the newest version.

        Raises UserError for a wrong URL or a database of a newer ozfig, OutsideError when it cannot be reached.
        """
        store = cls(database_url(where))
        name = store._engine.url.render_as_string(hide_password=True)
        try:
            migrate(store._engine)
        except CommandError as error:
            raise UserError(f"{name}: made by another version of ozfig ({error}); update ozfig") from None
        except SQLAlchemyError as error:
            raise OutsideError(f"{name}: cannot be opened: {str(error).splitlines()[0]}") from None
        return store

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def conversations(self, search: str = "", limit: int = 200) -> list[Conversation]:
        """The latest conversations without their messages, newest first; `search` is part of the title."""
        query = select(Conversation).options(lazyload(Conversation.messages))
        if search.strip():
            query = query.where(Conversation.title.icontains(search.strip(), autoescape=True))
        with self._session() as session:
            return list(session.scalars(query.order_by(Conversation.updated_at.desc()).limit(limit)))

    def create(self, title: str, model: str) -> Conversation:
        """A new conversation."""
        row = Conversation(id=uuid4().hex, title=shorten(title), model=model)
        with self._session.begin() as session:
            session.add(row)
        return row

    def get(self, conversation: str) -> Conversation | None:
        """A conversation with its messages, oldest first, or None."""
        with self._session() as session:
            return session.get(Conversation, conversation)

    def rename(self, conversation: str, title: str) -> bool:
        """Change a title; false when there is no such conversation."""
        query = update(Conversation).where(Conversation.id == conversation).values(title=shorten(title))
        return self._execute(query) > 0

    def delete(self, conversation: str) -> bool:
        """Remove a conversation and its messages; false when there is no such conversation."""
        return self._execute(delete(Conversation).where(Conversation.id == conversation)) > 0

    def add(self, conversation: str, role: str, content: str, status: Status = "complete", **fields: Any) -> Message:
        """Append a message. `fields` are further columns, such as model_sha256."""
        row = Message(conversation_id=conversation, role=role, content=content, status=status, **fields)
        with self._session.begin() as session:
            session.add(row)
            session.execute(update(Conversation).where(Conversation.id == conversation).values(updated_at=now()))
        return row

    def save(self, message: int, content: str) -> None:
        """Keep the part of an answer that has been written so far."""
        self._execute(update(Message).where(Message.id == message).values(content=content))

    def finish(self, message: int, content: str, status: Status, tokens: int, seconds: float) -> None:
        """Keep a whole answer, or the part at which it was cut, with its length and time."""
        values = {"content": content, "status": status, "tokens": tokens, "seconds": seconds}
        self._execute(update(Message).where(Message.id == message).values(**values))

    def message(self, message: int) -> Message | None:
        """One message, or None."""
        with self._session() as session:
            return session.get(Message, message)

    def mark_interrupted(self) -> int:
        """Answers that a crash cut are still `streaming`: name them interrupted. Returns how many there were."""
        return self._execute(update(Message).where(Message.status == "streaming").values(status="interrupted"))

    def _execute(self, query: Any) -> int:
        with self._session.begin() as session:
            result: Any = session.execute(query)
            return int(result.rowcount)


def shorten(title: str) -> str:
    """A title of one line."""
    line = " ".join(title.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def migrate(engine: Engine) -> None:
    """Run the migrations that the database has not seen."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _connect(url: str) -> Engine:
    """An engine; SQLite gets its folder, write-ahead logging and foreign keys. Raises UserError for a wrong URL."""
    try:
        parts = make_url(url)
        engine = create_engine(parts)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UserError(f"database {url.split('://')[0]}: {error}; write a path or an SQLAlchemy URL") from None
    if parts.get_backend_name() == "sqlite":
        if parts.database:
            Path(parts.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
