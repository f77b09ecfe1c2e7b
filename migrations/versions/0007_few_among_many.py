"""The ways to few lines among many: of a level, and of a task, between its first line and its last."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Tasks that are stored already end anywhere.
LAST_SEQ = "ALTER TABLE job_tasks ADD COLUMN last_seq bigint NOT NULL DEFAULT 9223372036854775807"
BY_LEVEL = "CREATE INDEX task_logs_by_level ON task_logs (job_id, level, seq) WHERE level <> 20"


def upgrade() -> None:
    op.execute(LAST_SEQ)
    op.execute(BY_LEVEL)


def downgrade() -> None:
    op.execute("DROP INDEX task_logs_by_level")
    op.execute("ALTER TABLE job_tasks DROP COLUMN last_seq")
