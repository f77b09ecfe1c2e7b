-- Lists the partitions of lines by time, the default one last, each with its size. Lines are counted in those of at most so many
-- bytes as are asked for; of larger ones there is what the last vacuum or analysis estimated, or null before the first.
--
-- Times are taken from the batches: lines have no index by time.
WITH partition AS MATERIALIZED (
    SELECT
        child.oid, child.relname::text AS name, child.reltuples,
        (bound[1])::timestamptz AS since, (bound[2])::timestamptz AS until,
        pg_relation_size(child.oid) AS table_size, pg_total_relation_size(child.oid) AS size
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    LEFT JOIN LATERAL regexp_match(
        pg_get_expr(child.relpartbound, child.oid), $$FROM \('(.+)'\) TO \('(.+)'\)$$
    ) AS bound ON true
    WHERE inhparent = 'task_logs'::regclass
)
SELECT
    oid, name, since, until, size,
    CASE
        WHEN table_size > :counted_bytes::bigint THEN NULLIF(reltuples, -1)::bigint
        WHEN since IS NULL THEN (SELECT count(*) FROM task_logs_default)
        ELSE (SELECT count(*) FROM task_logs WHERE recorded_at >= since AND recorded_at < until)
    END AS lines,
    (SELECT min(recorded_at) FROM stored_batches WHERE recorded_at >= since AND recorded_at < until) AS oldest,
    (SELECT max(recorded_at) FROM stored_batches WHERE recorded_at >= since AND recorded_at < until) AS newest
FROM partition
WHERE size IS NOT NULL -- as of one that was dropped just now
ORDER BY since, name
