"""Prompts and answers, where they are asked for, apart from the spend log: they are large, and kept by choice."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    op.create_table(
        "spend_prompts",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", "call_id"),
    )
