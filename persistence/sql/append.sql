-- Stores one writer's news of one job: the writer's position, the job, its lines with their numbers, and its tasks.
-- Returns no row if the writer's position already reaches into the batch; nothing is stored then.
--
-- Locks are taken in one order, position, job, tasks, so that writers of one job queue up and never deadlock. The job's
-- row lock makes the order of the numbers the order of the commits.
WITH position AS (
    INSERT INTO capture_positions AS known (job_id, writer_id, last_n)
    SELECT :job_id::text, :writer_id::uuid, :last_n::bigint
    WHERE :writer_id::uuid IS NOT NULL
    ON CONFLICT (job_id, writer_id) DO UPDATE
    SET last_n = EXCLUDED.last_n
    WHERE known.last_n < :first_n::bigint
    RETURNING known.job_id
),
accepted AS (
    SELECT job_id FROM position
    UNION ALL
    SELECT :job_id::text WHERE :writer_id::uuid IS NULL
),
job AS (
    INSERT INTO jobs AS known (
        job_id, handler_name, source, execution_id, parent_job_id, metadata,
        status, started_at, finished_at, error, result, progress_current, progress_total,
        last_seq, first_recorded_at, last_recorded_at,
        count_trace, count_debug, count_info, count_warning, count_error, count_critical,
        schedule_id, last_started_at
    )
    SELECT
        accepted.job_id, COALESCE(:handler_name::text, :assumed_handler_name::text), :source::text,
        COALESCE(:execution_id::text, :assumed_execution_id::text), :parent_job_id::text, :metadata::jsonb,
        COALESCE(:status::text, 'RUNNING'), COALESCE(:started_at::timestamptz, :first_at::timestamptz),
        :finished_at::timestamptz, :error::text, :result::text, :progress_current::bigint, :progress_total::bigint,
        -- What is no line, such as a job's end, does not tell when it spoke.
        :line_count::bigint,
        CASE WHEN :line_count::bigint > 0 THEN statement_timestamp() END,
        CASE WHEN :line_count::bigint > 0 THEN statement_timestamp() END,
        :count_trace::bigint, :count_debug::bigint, :count_info::bigint,
        :count_warning::bigint, :count_error::bigint, :count_critical::bigint,
        :schedule_id::text, :started_at::timestamptz
    FROM accepted
    ON CONFLICT (job_id) DO UPDATE
    -- What is assumed of a job holds where it was told nothing else, now or before.
    SET handler_name = COALESCE(:handler_name::text, NULLIF(known.handler_name, 'unknown'), :assumed_handler_name::text),
        source = COALESCE(EXCLUDED.source, known.source),
        execution_id = COALESCE(:execution_id::text, known.execution_id, :assumed_execution_id::text),
        schedule_id = COALESCE(:schedule_id::text, known.schedule_id),
        parent_job_id = COALESCE(known.parent_job_id, EXCLUDED.parent_job_id),
        metadata = COALESCE(EXCLUDED.metadata, known.metadata),
        -- The latest of a job's starts and ends says how it stands, whenever the batches of its writers arrive: what comes late,
        -- from a spool or from the worker of an earlier run, is no news.
        (
            status, started_at, finished_at, error, result, progress_current, last_started_at, is_restarted
        ) = (
            SELECT
                CASE
                    WHEN news.ends THEN :status::text
                    WHEN begin.is_news OR known.status = 'QUEUED' THEN 'RUNNING'
                    ELSE known.status
                END,
                CASE
                    -- A job that is started again after its end begins anew; one that runs keeps its earliest start.
                    WHEN begin.is_news AND known.finished_at IS NOT NULL THEN :started_at::timestamptz
                    WHEN begin.is_news THEN LEAST(known.started_at, :started_at::timestamptz)
                    ELSE COALESCE(known.started_at, EXCLUDED.started_at)
                END,
                CASE WHEN news.ends THEN :finished_at::timestamptz WHEN NOT begin.is_news THEN known.finished_at END,
                CASE WHEN news.ends THEN :error::text WHEN NOT begin.is_news THEN known.error END,
                CASE WHEN news.ends THEN :result::text WHEN NOT begin.is_news THEN known.result END,
                CASE
                    WHEN begin.is_news AND known.finished_at IS NOT NULL THEN EXCLUDED.progress_current
                    WHEN :is_restarted::boolean AND NOT (begin.is_news OR news.ends) THEN known.progress_current
                    ELSE COALESCE(EXCLUDED.progress_current, known.progress_current)
                END,
                CASE
                    WHEN begin.is_news AND known.finished_at IS NOT NULL THEN :started_at::timestamptz
                    WHEN begin.is_news THEN GREATEST(known.last_started_at, :started_at::timestamptz)
                    ELSE known.last_started_at
                END,
                known.is_restarted
                    OR (begin.is_news AND (known.finished_at IS NOT NULL OR known.last_started_at IS NOT NULL))
            FROM (
                SELECT :is_restarted::boolean
                    AND COALESCE(:started_at::timestamptz >= known.finished_at, true) AS is_news
            ) AS begin,
            LATERAL (
                SELECT :finished_at::timestamptz IS NOT NULL AND NOT COALESCE(
                    CASE
                        WHEN known.finished_at IS NOT NULL THEN
                            NOT begin.is_news AND :finished_at::timestamptz < known.finished_at
                        -- An end from before the latest of several starts is that of an earlier run. The end of a job that
                        -- was started once is its own, by whatever clock.
                        ELSE
                            (known.is_restarted OR begin.is_news) AND :finished_at::timestamptz < known.last_started_at
                    END,
                    false
                ) AS ends
            ) AS news
        ),
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
        job.job_id, job.last_seq - :line_count::bigint + line.ordinality, job.execution_id,
        -- Lists of JSON, since a subscript into an array of texts passes all of those before it.
        :line_stages::jsonb ->> line.task, :line_task_ids::jsonb ->> line.task, to_timestamp(line.at), job.last_recorded_at,
        line.level, line.message, line.metadata::jsonb
    FROM job, unnest(
        :line_tasks::int[], :line_times::float8[], :line_levels::smallint[], :line_messages::text[], :line_metadata::text[]
    ) WITH ORDINALITY AS line (task, at, level, message, metadata, ordinality)
),
batch AS (
    INSERT INTO stored_batches (job_id, first_seq, last_seq, recorded_at, levels, first_at, last_at, size)
    SELECT
        job.job_id, job.last_seq - :line_count::bigint + 1, job.last_seq, job.last_recorded_at,
        :levels::smallint, :first_at::timestamptz, :last_at::timestamptz, :size::bigint
    FROM job
    WHERE :line_count::bigint > 0
),
tasks AS (
    INSERT INTO job_tasks AS known (
        job_id, stage, task_id, name, status, result, first_seq, first_at, last_at, finished_at,
        count_trace, count_debug, count_info, count_warning, count_error, count_critical, last_seq
    )
    SELECT
        job.job_id, task.stage, task.task_id, task.name, task.status, task.result,
        job.last_seq - :line_count::bigint + task.first_line + 1, task.first_at, task.last_at, task.finished_at,
        task.trace, task.debug, task.info, task.warning, task.error, task.critical, job.last_seq
    FROM job, unnest(
        :task_stages::text[], :task_ids::text[], :task_names::text[], :task_statuses::text[], :task_results::text[],
        :task_first_lines::bigint[], :task_first_ats::timestamptz[], :task_last_ats::timestamptz[],
        :task_finished_ats::timestamptz[],
        :task_count_trace::bigint[], :task_count_debug::bigint[], :task_count_info::bigint[],
        :task_count_warning::bigint[], :task_count_error::bigint[], :task_count_critical::bigint[]
    ) AS task (
        stage, task_id, name, status, result, first_line, first_at, last_at, finished_at,
        trace, debug, info, warning, error, critical
    )
    ON CONFLICT (job_id, stage, task_id) DO UPDATE
    SET name = COALESCE(EXCLUDED.name, known.name),
        (status, result, finished_at) = (
            SELECT
                CASE WHEN change.is_news THEN EXCLUDED.status ELSE known.status END,
                CASE WHEN change.is_news THEN COALESCE(EXCLUDED.result, known.result) ELSE known.result END,
                CASE WHEN change.is_news THEN EXCLUDED.finished_at ELSE known.finished_at END
            FROM (
                -- What was said of a task before its end is no news, however late it comes.
                SELECT EXCLUDED.status IS NOT NULL
                    AND COALESCE(COALESCE(EXCLUDED.finished_at, EXCLUDED.last_at) >= known.finished_at, true) AS is_news
            ) AS change
        ),
        first_at = LEAST(known.first_at, EXCLUDED.first_at),
        last_at = GREATEST(known.last_at, EXCLUDED.last_at),
        count_trace = known.count_trace + EXCLUDED.count_trace,
        count_debug = known.count_debug + EXCLUDED.count_debug,
        count_info = known.count_info + EXCLUDED.count_info,
        count_warning = known.count_warning + EXCLUDED.count_warning,
        count_error = known.count_error + EXCLUDED.count_error,
        count_critical = known.count_critical + EXCLUDED.count_critical,
        last_seq = GREATEST(known.last_seq, EXCLUDED.last_seq)
)
SELECT job.last_seq, COALESCE(job.last_recorded_at, statement_timestamp()) AS recorded_at, job.execution_id, job.status
FROM job
