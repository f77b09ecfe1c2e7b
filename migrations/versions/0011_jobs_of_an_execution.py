"""The ways to the jobs of an execution that failed, to those that run, and to the one that ended last."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = {
    "jobs_ended_of_execution": "(execution_id, finished_at) WHERE execution_id IS NOT NULL",
    "jobs_failed_of_execution": "(execution_id) WHERE execution_id IS NOT NULL AND status IN ('CANCELLED', 'FAILED')",
    "jobs_active_of_execution": (
        "(execution_id) WHERE execution_id IS NOT NULL AND status NOT IN ('CANCELLED', 'COMPLETED', 'FAILED')"
    ),
}


def upgrade() -> None:
    for name, definition in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON jobs {definition}")


def downgrade() -> None:
    for name in reversed(INDEXES):
        op.execute(f"DROP INDEX {name}")
