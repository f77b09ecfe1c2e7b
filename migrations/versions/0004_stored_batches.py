"""Stored batches, a row a batch: which lines were stored when, which indexes the lines of all jobs by time."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STORED_BATCHES = """
CREATE TABLE stored_batches (
    job_id text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    levels smallint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    size bigint NOT NULL,
    CONSTRAINT stored_batches_pkey PRIMARY KEY (recorded_at, job_id, first_seq)
)
"""
GRAVE = "CREATE INDEX stored_batches_grave ON stored_batches (recorded_at, job_id, first_seq) WHERE levels >= 16"

# Lines that were stored together have one recorded_at.
KNOWN = """
INSERT INTO stored_batches (job_id, first_seq, last_seq, recorded_at, levels, first_at, last_at, size)
SELECT
    job_id, min(seq), max(seq), recorded_at,
    bit_or(CASE level WHEN 5 THEN 1 WHEN 10 THEN 2 WHEN 20 THEN 4 WHEN 30 THEN 8 WHEN 40 THEN 16 ELSE 32 END),
    min(timestamp), max(timestamp), sum(octet_length(message) + coalesce(pg_column_size(metadata), 0))
FROM task_logs
GROUP BY recorded_at, job_id
"""


def upgrade() -> None:
    for statement in (STORED_BATCHES, KNOWN, GRAVE):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE stored_batches")
