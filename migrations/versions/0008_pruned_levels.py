"""Up to when lines of each level have been pruned, and the way to drop a week of them."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PRUNED_LEVELS = """
CREATE TABLE pruned_levels (
    level smallint NOT NULL,
    before timestamptz NOT NULL,
    CONSTRAINT pruned_levels_pkey PRIMARY KEY (level),
    CONSTRAINT pruned_levels_level_known CHECK (level IN (5, 10, 20, 30, 40, 50))
)
"""
DROP_WEEK = """
CREATE FUNCTION task_logs_drop_week(partition regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition AND inhparent = 'task_logs'::regclass) THEN
        RAISE EXCEPTION '% is no partition of task_logs', partition;
    END IF;
    EXECUTE format('DROP TABLE %s', partition);
END
$$
"""


def upgrade() -> None:
    op.execute(PRUNED_LEVELS)
    op.execute(DROP_WEEK)


def downgrade() -> None:
    op.execute("DROP FUNCTION task_logs_drop_week")
    op.drop_table("pruned_levels")
