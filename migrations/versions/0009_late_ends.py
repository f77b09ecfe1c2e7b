"""Marks that tell a late end from news: when a job was started last, and whether that was not the first time."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE jobs ADD COLUMN last_started_at timestamptz, ADD COLUMN is_restarted boolean NOT NULL DEFAULT false"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE jobs DROP COLUMN last_started_at, DROP COLUMN is_restarted")
