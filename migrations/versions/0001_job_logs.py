"""Jobs, their tasks, their lines, and how far each writer is."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTS = """
    count_trace bigint NOT NULL DEFAULT 0,
    count_debug bigint NOT NULL DEFAULT 0,
    count_info bigint NOT NULL DEFAULT 0,
    count_warning bigint NOT NULL DEFAULT 0,
    count_error bigint NOT NULL DEFAULT 0,
    count_critical bigint NOT NULL DEFAULT 0,
"""

JOBS = f"""
CREATE TABLE jobs (
    job_id text NOT NULL,
    handler_name text NOT NULL,
    source text,
    status text NOT NULL,
    progress_current bigint,
    progress_total bigint,
    error text,
    result text,
    parent_job_id text,
    execution_id text,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    last_seq bigint NOT NULL DEFAULT 0,
    first_recorded_at timestamptz,
    last_recorded_at timestamptz,
    {COUNTS}
    CONSTRAINT jobs_pkey PRIMARY KEY (job_id),
    CONSTRAINT jobs_status_known
        CHECK (status IN ('QUEUED', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')),
    CONSTRAINT jobs_last_seq_counts CHECK (last_seq >= 0)
) WITH (fillfactor = 70);
CREATE INDEX jobs_newest ON jobs (created_at DESC, job_id DESC);
CREATE INDEX jobs_finished ON jobs (finished_at);
CREATE INDEX jobs_active ON jobs (created_at) WHERE status NOT IN ('CANCELLED', 'COMPLETED', 'FAILED');
CREATE INDEX jobs_children ON jobs (parent_job_id, created_at) WHERE parent_job_id IS NOT NULL;
CREATE INDEX jobs_of_execution ON jobs (execution_id, created_at) WHERE execution_id IS NOT NULL;
"""

JOB_TASKS = f"""
CREATE TABLE job_tasks (
    job_id text NOT NULL,
    stage text NOT NULL,
    task_id text NOT NULL,
    name text,
    status text,
    result text,
    first_seq bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    finished_at timestamptz,
    {COUNTS}
    CONSTRAINT job_tasks_pkey PRIMARY KEY (job_id, stage, task_id),
    CONSTRAINT job_tasks_status_known CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'))
) WITH (fillfactor = 70);
CREATE INDEX job_tasks_in_order ON job_tasks (job_id, stage, first_seq, first_at, task_id);
"""

CAPTURE_POSITIONS = """
CREATE TABLE capture_positions (
    job_id text NOT NULL,
    writer_id uuid NOT NULL,
    last_n bigint NOT NULL,
    CONSTRAINT capture_positions_pkey PRIMARY KEY (job_id, writer_id)
) WITH (fillfactor = 70);
"""

TASK_LOGS = """
CREATE TABLE task_logs (
    job_id text NOT NULL,
    seq bigint NOT NULL,
    execution_id text,
    stage text NOT NULL,
    task_id text NOT NULL,
    timestamp timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    level smallint NOT NULL,
    message text NOT NULL,
    metadata jsonb,
    CONSTRAINT task_logs_pkey PRIMARY KEY (job_id, seq, recorded_at),
    CONSTRAINT task_logs_seq_counts CHECK (seq > 0),
    CONSTRAINT task_logs_level_known CHECK (level IN (5, 10, 20, 30, 40, 50))
) PARTITION BY RANGE (recorded_at);
CREATE TABLE task_logs_default PARTITION OF task_logs DEFAULT;
"""

# What is attached is a table that was made beside the partitioned one: that locks readers and writers out for an
# instant only, and lines that the default partition has caught already move over. Writers wait at the partitioned table:
# one that had already chosen the default partition would find its line refused there once the week has its own.
ENSURE_WEEK = """
CREATE FUNCTION task_logs_ensure_week(day date) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    monday date := date_trunc('week', day::timestamp)::date;
    partition text := 'task_logs_' || to_char(monday, 'YYYYMMDD');
    from_time timestamptz := monday::timestamp AT TIME ZONE 'UTC';
    to_time timestamptz := (monday + 7)::timestamp AT TIME ZONE 'UTC';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('task_logs_ensure_week'));
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE task_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    LOCK TABLE ONLY task_logs IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE task_logs_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (
            DELETE FROM task_logs_default WHERE recorded_at >= %L AND recorded_at < %L RETURNING *
        )
        INSERT INTO %I SELECT * FROM moved',
        from_time, to_time, partition
    );
    EXECUTE format(
        'ALTER TABLE task_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, from_time, to_time
    );
    RETURN true;
END
$$;
"""

# One way to lower letters, whatever the database's own locale: each character by itself, as domain.filters.fold_case.
SEARCH_FOLD = """
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        CREATE COLLATION search_fold (provider = builtin, locale = 'C.UTF-8');
    ELSE
        CREATE COLLATION search_fold (provider = libc, locale = 'C.UTF-8');
    END IF;
END
$$;
"""


def upgrade() -> None:
    for script in (SEARCH_FOLD, JOBS, JOB_TASKS, CAPTURE_POSITIONS, TASK_LOGS, ENSURE_WEEK):
        _run(script)


def downgrade() -> None:
    op.execute("DROP FUNCTION task_logs_ensure_week")
    for table in ("task_logs", "capture_positions", "job_tasks", "jobs"):
        op.drop_table(table)
    op.execute("DROP COLLATION search_fold")


def _run(script: str) -> None:
    """Run a script statement by statement: asyncpg prepares one at a time."""
    if "$$" in script:
        op.execute(script)
        return
    for statement in filter(str.strip, script.split(";")):
        op.execute(statement)
