"""The way from a task's id to the jobs that have it."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX job_tasks_by_id ON job_tasks (task_id, job_id)")


def downgrade() -> None:
    op.execute("DROP INDEX job_tasks_by_id")
