"""The one owner of the chat database: opens it, brings its schema up to date, reads and writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, delete, event, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import lazyload, sessionmaker

from ozfig.errors import OutsideError, UserError
from ozfig.store.models import Conversation, Feedback, Kind, Message, Status, now

DEFAULT = Path("~/.local/share/ozfig/chat.db")
TITLE_LENGTH = 80


def database_url(where: str = "") -> str:
    """The SQLAlchemy URL for a path or URL; without one OZFIG_DATABASE_URL, then the user's own file."""
    where = where or os.environ.get("OZFIG_DATABASE_URL", "") or str(DEFAULT)
    if "://" not in where:
        return f"sqlite:///{Path(where).expanduser().resolve()}"
    # as servers hand it out; the driver is the one that the extra brings
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", where)


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

    def conversations(self, search: str = "", kind: Kind = "chat", limit: int = 200) -> list[Conversation]:
        """The latest conversations without their messages, newest first; `search` is in the title or in a message."""
        query = select(Conversation).options(lazyload(Conversation.messages)).where(Conversation.kind == kind)
        if wanted := search.strip():
            said = select(Message.conversation_id).where(Message.content.icontains(wanted, autoescape=True))
            query = query.where(Conversation.title.icontains(wanted, autoescape=True) | Conversation.id.in_(said))
        with self._session() as session:
            return list(session.scalars(query.order_by(Conversation.updated_at.desc()).limit(limit)))

    def create(
        self, title: str, model: str, kind: Kind = "chat", settings: dict[str, Any] | None = None
    ) -> Conversation:
        """A new conversation."""
        row = Conversation(id=uuid4().hex, title=shorten(title), model=model, kind=kind, settings=settings or {})
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

    def configure(self, conversation: str, settings: dict[str, Any]) -> bool:
        """Keep what a user has chosen for a conversation; false when there is no such conversation."""
        query = update(Conversation).where(Conversation.id == conversation).values(settings=settings)
        return self._execute(query) > 0

    def supersede(self, conversation: str, first: int) -> int:
        """Take a message and all that follow it out of the chat, to be edited or asked again; returns how many."""
        own = Message.conversation_id == conversation
        last = select(func.max(Message.id)).where(own).scalar_subquery()
        chosen = (own, Message.id >= first, Message.superseded.is_(None))
        return self._execute(update(Message).where(*chosen).values(superseded=last))

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
        """Keep the part of an answer that has been written so far; one that is finished stays as it is."""
        unfinished = (Message.id == message, Message.status == "streaming")
        self._execute(update(Message).where(*unfinished).values(content=content, saved_at=now()))

    def finish(self, message: int, content: str, status: Status, **fields: Any) -> None:
        """Keep a whole answer, or the part at which it was cut. `fields` are further columns, such as its tokens."""
        values = {"content": content, "status": status, "saved_at": now(), **fields}
        self._execute(update(Message).where(Message.id == message).values(**values))

    def judge(self, message: int, **verdict: Any) -> bool:
        """Keep what a person thinks of an answer (rating, correction, preferred); false when it is no answer.

        What is not named stays as it was. Of several answers to one question one is preferred at most.
        """
        with self._session.begin() as session:
            row = session.get(Message, message)
            if row is None or row.role != "assistant":
                return False
            if verdict.get("preferred"):
                beside = [m.id for m in _alternatives(row, session.get_one(Conversation, row.conversation_id).messages)]
                session.execute(update(Feedback).where(Feedback.message_id.in_(beside)).values(preferred=False))
            row.feedback = row.feedback or Feedback(message_id=message)
            for name, value in verdict.items():
                setattr(row.feedback, name, value)
        return True

    def judged(self) -> Iterator[tuple[list[Message], Message, list[Message]]]:
        """Every answer that a person has judged: the turns before it, itself, and other answers to its question.

        In the order of their ids. The turns before an answer are those that its model saw.
        """
        with self._session() as session:
            rows = session.scalars(select(Message).join(Feedback).order_by(Message.id)).all()
            chats = {key: session.get_one(Conversation, key) for key in {m.conversation_id for m in rows}}
        for row in rows:
            chat, kind = chats[row.conversation_id].messages, chats[row.conversation_id].kind
            others = _alternatives(row, chat)
            asked = next((m.id for m in reversed(chat) if m.role == "user" and m.id < row.id), 0)
            # a compared model saw its own answers alone
            own = [m for m in chat if m.role == "user" or kind == "chat" or m.model == row.model]
            before = [m for m in own if m.id <= asked and (m.superseded is None or m.superseded >= row.id)]
            yield _one_answer_each(before), row, others

    def message(self, message: int) -> Message | None:
        """One message, or None."""
        with self._session() as session:
            return session.get(Message, message)

    def mark_interrupted(self, silent: float = 0.0) -> int:
        """Answers that a crash cut are still `streaming`: name them interrupted. Returns how many there were.

        Another server may be writing to the same database: only answers without a sign of life for `silent`
        seconds are taken.
        """
        cut = (Message.status == "streaming", Message.saved_at <= now() - timedelta(seconds=silent))
        return self._execute(update(Message).where(*cut).values(status="interrupted"))

    def _execute(self, query: Any) -> int:
        with self._session.begin() as session:
            result: Any = session.execute(query)
            return int(result.rowcount)


def _alternatives(answer: Message, chat: Sequence[Message]) -> list[Message]:
    """The other answers to the same question: those between it and the next one."""
    found: list[Message] = []
    for message in chat:
        if message.role == "user":
            if answer in found:
                break
            found = []
        else:
            found.append(message)
    return [message for message in found if message.id != answer.id]


def _one_answer_each(turns: Sequence[Message]) -> list[Message]:
    """A conversation's turns, of several answers in a row the preferred one, or else the first."""
    found: list[Message] = []
    for turn in turns:
        if found and found[-1].role == turn.role == "assistant":
            if turn.feedback and turn.feedback.preferred:
                found[-1] = turn
        else:
            found.append(turn)
    pairs = [(q, a) for q, a in pairwise(found) if q.role == "user" and a.role == "assistant" and a.content.strip()]
    return [turn for pair in pairs for turn in pair] + found[-1:]


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
        # an error names the statement, not what somebody wrote; a connection that the database closed is made anew
        engine = create_engine(parts, hide_parameters=True, pool_pre_ping=True)
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
