-- Jobs by id, each with its tasks as lists, one a column: what a hierarchy shows comes in one answer, and a job's own columns
-- in it once. `task_count` is null where a job has more than {most} tasks: they are read by page then. Which jobs is said behind.
SELECT jobs.*, lists.*
FROM jobs
LEFT JOIN LATERAL (
    SELECT
        count(*) AS task_count,
        array_agg(stage) AS task_stages,
        array_agg(task_id) AS task_ids,
        array_agg(name) AS task_names,
        array_agg(status) AS task_statuses,
        array_agg(result) AS task_results,
        array_agg(first_seq) AS task_first_seqs,
        array_agg(first_at) AS task_first_ats,
        array_agg(last_at) AS task_last_ats,
        array_agg(finished_at) AS task_finished_ats,
        array_agg(count_trace) AS task_count_trace,
        array_agg(count_debug) AS task_count_debug,
        array_agg(count_info) AS task_count_info,
        array_agg(count_warning) AS task_count_warning,
        array_agg(count_error) AS task_count_error,
        array_agg(count_critical) AS task_count_critical
    FROM (
        SELECT *
        FROM job_tasks
        WHERE job_tasks.job_id = jobs.job_id
        -- In the order of an index: where few jobs have many tasks each, Postgres would read the whole table for these.
        ORDER BY job_id, stage, first_seq, first_at, task_id
        LIMIT {most} + 1
    ) AS own
    HAVING count(*) <= {most}
) AS lists ON true
