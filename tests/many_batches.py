"""A database of many batches, for the plans of what looks through them."""

from __future__ import annotations

LOAD = [
    "SELECT task_logs_ensure_week('2030-07-01'::date + 7 * week) FROM generate_series(0, 4) AS week",
    # 200 jobs, ten at a time, store 20,000 batches of 5 lines in 20 days; every 1,000th has an error.
    """
    INSERT INTO stored_batches (job_id, first_seq, last_seq, recorded_at, levels, first_at, last_at, size)
    SELECT 'job-' || (n / 1000) * 10 + n % 10, 5 * (n % 1000 / 10) + 1, 5 * (n % 1000 / 10) + 5, at,
        CASE WHEN n % 1000 = 7 THEN 20 ELSE 4 END, at, at, 40
    FROM generate_series(0, 19999) AS n,
        LATERAL (SELECT '2030-07-01'::timestamptz + n * interval '86.4 seconds') AS t(at)
    """,
    """
    INSERT INTO task_logs (job_id, seq, stage, task_id, timestamp, recorded_at, level, message)
    SELECT job_id, seq, 'stage', 'task-' || seq % 5, recorded_at, recorded_at,
        CASE WHEN levels = 20 AND seq = last_seq THEN 40 ELSE 20 END, 'line ' || seq
    FROM stored_batches, generate_series(first_seq, last_seq) AS seq
    """,
    """
    INSERT INTO jobs (job_id, handler_name, status, last_seq, first_recorded_at, last_recorded_at, count_info, count_error,
        created_at, execution_id)
    SELECT job_id, 'handler-' || right(job_id, 1), 'COMPLETED', max(last_seq), min(recorded_at), max(recorded_at),
        sum(last_seq - first_seq + 1) - count(*) FILTER (WHERE levels = 20), count(*) FILTER (WHERE levels = 20),
        min(recorded_at), 'of-' || job_id
    FROM stored_batches GROUP BY job_id
    """,
]
