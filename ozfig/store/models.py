"""The tables, as SQLAlchemy maps them. A change here needs a migration beside it (`migrations/versions`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import JSON, Double, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Status = Literal["complete", "streaming", "interrupted"]
Kind = Literal["chat", "compare"]


def now() -> datetime:
    """The time in UTC without a zone, as every column holds it (SQLite keeps no zones)."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """The declarative base of the tables."""


class Conversation(Base):
    """A chat. `model` is the name of the model that it was started with.

    Of kind compare, several models answer each question, and their answers follow it one after another.
    `settings` are what the user chose for it, such as its system text; what is not in it is the server's default.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, index=True)
    model: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16), default="chat", server_default="chat")
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    messages: Mapped[list[Message]] = relationship(
        order_by="Message.id", cascade="all, delete-orphan", passive_deletes=True, lazy="selectin"
    )


class Message(Base):
    """One turn of a chat. Answers also hold which model and weights wrote them, how long they are and took.

    `left_out` counts the earlier messages that did not fit the model's context for this answer. `sources` are what
    the model was shown, `raw` is the answer before a second model polished it, `details` what else is to be known
    of how it came about. A message that was edited or asked again is kept, and not part of the chat any more:
    `superseded` is the id of the last message that there was then. `saved_at` is the last sign of life of whoever
    writes an answer.
    """

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    status: Mapped[str] = mapped_column(String(16))
    model_sha256: Mapped[str] = mapped_column(String(64), default="")
    tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(Double, default=0.0)
    left_out: Mapped[int] = mapped_column(default=0)
    model: Mapped[str] = mapped_column(String(200), default="", server_default="")
    raw: Mapped[str] = mapped_column(Text, default="", server_default="")
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    superseded: Mapped[int | None] = mapped_column(default=None)
    saved_at: Mapped[datetime] = mapped_column(default=now, server_default="1970-01-01 00:00:00")
    feedback: Mapped[Feedback | None] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, lazy="selectin"
    )


class Feedback(Base):
    """What a person thinks of an answer: good (1), bad (-1) or neither; better words; whether they prefer it."""

    __tablename__ = "feedback"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    rating: Mapped[int] = mapped_column(default=0)
    correction: Mapped[str] = mapped_column(Text, default="")
    preferred: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
