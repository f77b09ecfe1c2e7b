-- Stores one writer's news of one job: the writer's position, the job, its lines with their numbers, and its tasks.
-- Returns no row if the writer's position already reaches into the batch; nothing is stored then.
--
-- Locks are taken in one order, position, job, tasks, so that writers of one job queue up and never deadlock. The job's
-- row lock makes the order of the numbers the order of the commits.
WITH position AS (
    INSERT INTO capture_positions AS known (job_id, writer_id, last_n)
    SELECT $1::text, $2::uuid, $4::bigint
    WHERE $2::uuid IS NOT NULL
    ON CONFLICT (job_id, writer_id) DO UPDATE
    SET last_n = EXCLUDED.last_n
    WHERE known.last_n < $3::bigint
    RETURNING known.job_id
),
accepted AS (
    SELECT job_id FROM position
    UNION ALL
    SELECT $1::text WHERE $2::uuid IS NULL
),
job AS (
    INSERT INTO jobs AS known (
        job_id, handler_name, source, execution_id, parent_job_id, metadata,
        status, started_at, finished_at, error, result, progress_current, progress_total,
        last_seq, first_recorded_at, last_recorded_at,
        count_trace, count_debug, count_info, count_warning, count_error, count_critical,
        schedule_id
    )
    SELECT
        accepted.job_id, COALESCE($5::text, $6::text), $7::text, COALESCE($8::text, $47::text), $9::text, $10::jsonb,
        COALESCE($11::text, 'RUNNING'), COALESCE($13::timestamptz, $14::timestamptz), $15::timestamptz,
        $16::text, $17::text, $18::bigint, $19::bigint,
        $20::bigint, statement_timestamp(), statement_timestamp(),
        $21::bigint, $22::bigint, $23::bigint, $24::bigint, $25::bigint, $26::bigint,
        $48::text
    FROM accepted
    ON CONFLICT (job_id) DO UPDATE
    -- What is assumed of a job ($6, $47) holds where it was told nothing else, now or before.
    SET handler_name = COALESCE($5::text, NULLIF(known.handler_name, 'unknown'), $6::text),
        source = COALESCE(EXCLUDED.source, known.source),
        execution_id = COALESCE($8::text, known.execution_id, $47::text),
        schedule_id = COALESCE($48::text, known.schedule_id),
        parent_job_id = COALESCE(EXCLUDED.parent_job_id, known.parent_job_id),
        metadata = COALESCE(EXCLUDED.metadata, known.metadata),
        -- A start that comes late, from a spool or from the worker of an earlier attempt, does not bring back to life what
        -- has ended since: it leaves the status and what goes with it alone.
        status = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.status
            WHEN $11::text IS NOT NULL THEN $11::text
            WHEN known.status = 'QUEUED' THEN 'RUNNING'
            ELSE known.status
        END,
        started_at = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.started_at
            -- A job that is started again after its end begins anew; one that runs keeps its earliest start.
            WHEN $12::boolean AND known.finished_at IS NOT NULL THEN EXCLUDED.started_at
            WHEN $12::boolean THEN LEAST(known.started_at, EXCLUDED.started_at)
            ELSE COALESCE(known.started_at, EXCLUDED.started_at)
        END,
        finished_at = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.finished_at
            WHEN $11::text IS NOT NULL THEN EXCLUDED.finished_at
            ELSE known.finished_at
        END,
        error = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.error
            WHEN $11::text IS NOT NULL THEN EXCLUDED.error
            ELSE known.error
        END,
        result = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.result
            WHEN $11::text IS NOT NULL THEN EXCLUDED.result
            ELSE known.result
        END,
        progress_current = CASE
            WHEN $12::boolean AND COALESCE($15::timestamptz, $13::timestamptz) < known.finished_at THEN known.progress_current
            WHEN $12::boolean AND known.finished_at IS NOT NULL THEN EXCLUDED.progress_current
            ELSE COALESCE(EXCLUDED.progress_current, known.progress_current)
        END,
        progress_total = COALESCE(EXCLUDED.progress_total, known.progress_total),
        last_seq = known.last_seq + EXCLUDED.last_seq,
        first_recorded_at = LEAST(known.first_recorded_at, EXCLUDED.first_recorded_at),
        last_recorded_at = GREATEST(known.last_recorded_at, EXCLUDED.last_recorded_at),
        count_trace = known.count_trace + EXCLUDED.count_trace,
        count_debug = known.count_debug + EXCLUDED.count_debug,
        count_info = known.count_info + EXCLUDED.count_info,
        count_warning = known.count_warning + EXCLUDED.count_warning,
        count_error = known.count_error + EXCLUDED.count_error,
        count_critical = known.count_critical + EXCLUDED.count_critical
    RETURNING known.job_id, known.last_seq, known.execution_id, known.status, known.last_recorded_at
),
-- Lines are dated by the job's row, whose lock gives their numbers too: within a job the later number never has the earlier
-- time, whatever clock and queue did.
lines AS (
    INSERT INTO task_logs (
        job_id, seq, execution_id, stage, task_id, timestamp, recorded_at, level, message, metadata
    )
    SELECT
        job.job_id, job.last_seq - $20::bigint + line.ordinality, job.execution_id,
        ($32::text[])[line.task], ($33::text[])[line.task], to_timestamp(line.at), job.last_recorded_at,
        line.level, line.message, line.metadata::jsonb
    FROM job, unnest(
        $27::int[], $28::float8[], $29::smallint[], $30::text[], $31::text[]
    ) WITH ORDINALITY AS line (task, at, level, message, metadata, ordinality)
),
batch AS (
    INSERT INTO stored_batches (job_id, first_seq, last_seq, recorded_at, levels, first_at, last_at, size)
    SELECT
        job.job_id, job.last_seq - $20::bigint + 1, job.last_seq, job.last_recorded_at,
        $49::smallint, $14::timestamptz, $50::timestamptz, $51::bigint
    FROM job
    WHERE $20::bigint > 0
),
tasks AS (
    INSERT INTO job_tasks AS known (
        job_id, stage, task_id, name, status, result, first_seq, first_at, last_at, finished_at,
        count_trace, count_debug, count_info, count_warning, count_error, count_critical, last_seq
    )
    SELECT
        job.job_id, task.stage, task.task_id, task.name, task.status, task.result,
        job.last_seq - $20::bigint + task.first_line + 1, task.first_at, task.last_at, task.finished_at,
        task.trace, task.debug, task.info, task.warning, task.error, task.critical, job.last_seq
    FROM job, unnest(
        $32::text[], $33::text[], $34::text[], $35::text[], $36::text[], $37::bigint[],
        $38::timestamptz[], $39::timestamptz[], $40::timestamptz[],
        $41::bigint[], $42::bigint[], $43::bigint[], $44::bigint[], $45::bigint[], $46::bigint[]
    ) AS task (
        stage, task_id, name, status, result, first_line, first_at, last_at, finished_at,
        trace, debug, info, warning, error, critical
    )
    ON CONFLICT (job_id, stage, task_id) DO UPDATE
    SET name = COALESCE(EXCLUDED.name, known.name),
        status = COALESCE(EXCLUDED.status, known.status),
        result = COALESCE(EXCLUDED.result, known.result),
        first_at = LEAST(known.first_at, EXCLUDED.first_at),
        last_at = GREATEST(known.last_at, EXCLUDED.last_at),
        finished_at = CASE
            WHEN EXCLUDED.status IS NOT NULL THEN EXCLUDED.finished_at
            ELSE known.finished_at
        END,
        count_trace = known.count_trace + EXCLUDED.count_trace,
        count_debug = known.count_debug + EXCLUDED.count_debug,
        count_info = known.count_info + EXCLUDED.count_info,
        count_warning = known.count_warning + EXCLUDED.count_warning,
        count_error = known.count_error + EXCLUDED.count_error,
        count_critical = known.count_critical + EXCLUDED.count_critical,
        last_seq = GREATEST(known.last_seq, EXCLUDED.last_seq)
)
SELECT job.last_seq, job.last_recorded_at AS recorded_at, job.execution_id, job.status
FROM job
