-- Counts the jobs and lines of each handler by the kept counters, and weighs what is kept of them: by all batches, or by a
-- random part of them, 16 MiB, where there are more. A line weighs `line_bytes` more than its content.
WITH weighed AS MATERIALIZED (
    SELECT job_id, sum(size + :line_bytes::bigint * (last_seq - first_seq + 1)) AS weight
    FROM stored_batches
    TABLESAMPLE SYSTEM (100 * LEAST(1, 16777216.0 / GREATEST(pg_relation_size('stored_batches'), 1)))
    GROUP BY job_id
)
SELECT
    handler_name,
    count(*) AS jobs,
    sum(count_trace + count_debug + count_info + count_warning + count_error + count_critical)::bigint AS lines,
    COALESCE(sum(weight) / NULLIF(sum(sum(weight)) OVER (), 0), 0)::float8 AS share,
    (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('task_logs'))::float8 AS size_of_all
FROM jobs
LEFT JOIN weighed USING (job_id)
GROUP BY handler_name
ORDER BY share DESC, lines DESC, handler_name
LIMIT :most::bigint
