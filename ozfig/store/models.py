"""The tables, as SQLAlchemy maps them. A change here needs a migration beside it (`migrations/versions`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Double, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Status = Literal["complete", "streaming", "interrupted"]


def now() -> datetime:
    """The time in UTC without a zone, as every column holds it (SQLite keeps no zones)."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """The declarative base of the tables."""


class Conversation(Base):
    """A chat. `model` is the name of the model that it was started with."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, index=True)
    model: Mapped[str] = mapped_column(String(200))
    messages: Mapped[list[Message]] = relationship(
        order_by="Message.id", cascade="all, delete-orphan", passive_deletes=True, lazy="selectin"
    )


class Message(Base):
    """One turn of a chat. Answers also hold which weights wrote them, how long they are and took.

    `left_out` counts the earlier messages that did not fit the model's context for this answer.
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
