"""Feedback; what a conversation is set to; how an answer came about."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, with values for the rows that are there, and the table."""
    with op.batch_alter_table("conversations") as table:
        table.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="chat"))
        table.add_column(sa.Column("settings", sa.JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("messages") as table:
        table.add_column(sa.Column("model", sa.String(200), nullable=False, server_default=""))
        table.add_column(sa.Column("raw", sa.Text, nullable=False, server_default=""))
        table.add_column(sa.Column("sources", sa.JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("details", sa.JSON, nullable=False, server_default="{}"))
        table.add_column(sa.Column("superseded", sa.Integer, nullable=True))
        table.add_column(sa.Column("saved_at", sa.DateTime, nullable=False, server_default="1970-01-01 00:00:00"))
    op.create_table(
        "feedback",
        sa.Column("message_id", sa.Integer, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("rating", sa.Integer, nullable=False),
        sa.Column("correction", sa.Text, nullable=False),
        sa.Column("preferred", sa.Boolean, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    """Remove what was added."""
    op.drop_table("feedback")
    with op.batch_alter_table("messages") as table:
        for name in ("saved_at", "superseded", "details", "sources", "raw", "model"):
            table.drop_column(name)
    with op.batch_alter_table("conversations") as table:
        for name in ("settings", "kind"):
            table.drop_column(name)
