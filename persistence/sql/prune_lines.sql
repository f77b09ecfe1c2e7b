-- One step through the batches behind a place (recorded_at, job_id, first_seq), in the order of their storing, as far as
-- `before`: deletes their lines of the levels (once more as `level_bits`), and what is known of batches that have no others.
-- If it `is_dry`, it tells what would go, and nothing does. Returns the place it came to and what went by level; no row if
-- there is nothing behind.
--
-- It passes `most_batches` batches at most, and none behind the one with which `most_lines` lines have been looked at.
WITH batch AS MATERIALIZED (
    SELECT recorded_at, job_id, first_seq, last_seq, levels
    FROM stored_batches
    WHERE (recorded_at, job_id, first_seq) > (:recorded_at::timestamptz, :job_id::text, :first_seq::bigint)
        AND recorded_at < :before::timestamptz
    ORDER BY recorded_at, job_id, first_seq
    LIMIT :most_batches::bigint
),
sized AS MATERIALIZED (
    SELECT
        *,
        sum(CASE WHEN levels & :level_bits::smallint = 0 THEN 0 ELSE last_seq - first_seq + 1 END) OVER (
            ORDER BY recorded_at, job_id, first_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS lines_before
    FROM batch
),
passed AS MATERIALIZED (
    SELECT * FROM sized WHERE COALESCE(lines_before, 0) < :most_lines::bigint
),
chosen AS MATERIALIZED (
    SELECT * FROM passed WHERE levels & :level_bits::smallint <> 0
),
place AS MATERIALIZED (
    SELECT recorded_at, job_id, first_seq
    FROM passed
    ORDER BY recorded_at DESC, job_id DESC, first_seq DESC
    LIMIT 1
),
deleted AS (
    DELETE FROM task_logs AS line
    USING chosen
    WHERE NOT :is_dry::boolean
        AND line.job_id = chosen.job_id
        AND line.recorded_at = chosen.recorded_at
        AND line.seq BETWEEN chosen.first_seq AND chosen.last_seq
        AND line.level = ANY(:levels::smallint[])
    RETURNING line.level, octet_length(line.message) + COALESCE(pg_column_size(line.metadata), 0) AS size
),
told AS (
    SELECT line.level, octet_length(line.message) + COALESCE(pg_column_size(line.metadata), 0) AS size
    FROM chosen
    JOIN task_logs AS line
        ON line.job_id = chosen.job_id
        AND line.recorded_at = chosen.recorded_at
        AND line.seq BETWEEN chosen.first_seq AND chosen.last_seq
        AND line.level = ANY(:levels::smallint[])
    WHERE :is_dry::boolean
),
emptied AS (
    DELETE FROM stored_batches AS known
    USING chosen
    WHERE NOT :is_dry::boolean
        AND (known.recorded_at, known.job_id, known.first_seq) = (chosen.recorded_at, chosen.job_id, chosen.first_seq)
        AND chosen.levels & ~:level_bits::smallint = 0
),
thinned AS (
    UPDATE stored_batches AS known
    SET levels = known.levels & ~:level_bits::smallint
    FROM chosen
    WHERE NOT :is_dry::boolean
        AND (known.recorded_at, known.job_id, known.first_seq) = (chosen.recorded_at, chosen.job_id, chosen.first_seq)
        AND chosen.levels & ~:level_bits::smallint <> 0
),
-- What was stored at the very time of the last batch may go in the next step.
marked AS (
    INSERT INTO pruned_levels AS known (level, before)
    SELECT level, place.recorded_at
    FROM place, unnest(:levels::smallint[]) AS level
    WHERE NOT :is_dry::boolean
    ON CONFLICT (level) DO UPDATE
    SET before = GREATEST(known.before, EXCLUDED.before)
),
counted AS (
    SELECT level, count(*) AS lines, sum(size)::bigint AS size
    FROM (SELECT * FROM deleted UNION ALL SELECT * FROM told) AS line
    GROUP BY level
)
SELECT place.recorded_at, place.job_id, place.first_seq, counted.level, counted.lines, counted.size
FROM place
LEFT JOIN counted ON true
