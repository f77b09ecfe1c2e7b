"""The schedule that started a job, and indexes for the executions that jobs make up."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JOBS_OF_EXECUTION_BEFORE = "(execution_id, created_at) WHERE execution_id IS NOT NULL"
INDEXES = {
    "jobs_of_execution": "(execution_id, created_at, job_id) WHERE execution_id IS NOT NULL",
    "jobs_root_of_execution": "(execution_id, (schedule_id IS NULL), created_at, job_id) WHERE execution_id IS NOT NULL",
    "jobs_newest_of_executions": "(created_at DESC, job_id DESC) WHERE execution_id IS NOT NULL",
    "jobs_newest_of_schedule": "(schedule_id, created_at DESC, job_id DESC) WHERE schedule_id IS NOT NULL",
}


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN schedule_id text")
    op.execute("DROP INDEX jobs_of_execution")
    for name, definition in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON jobs {definition}")


def downgrade() -> None:
    for name in reversed(INDEXES):
        op.execute(f"DROP INDEX {name}")
    op.execute(f"CREATE INDEX jobs_of_execution ON jobs {JOBS_OF_EXECUTION_BEFORE}")
    op.execute("ALTER TABLE jobs DROP COLUMN schedule_id")
