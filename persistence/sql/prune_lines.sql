-- One step through the batches behind a place ($1 to $3), in the order of their storing, as far as $4: deletes their lines of
-- the levels $5 (as bits $6), and what is known of batches that have no others. If $9, it tells what would go, and nothing does.
-- Returns the place it came to and what went by level; no row if there is nothing behind.
--
-- It passes $7 batches at most, and none behind the one with which $8 lines have been looked at.
WITH batch AS MATERIALIZED (
    SELECT recorded_at, job_id, first_seq, last_seq, levels
    FROM stored_batches
    WHERE (recorded_at, job_id, first_seq) > ($1::timestamptz, $2::text, $3::bigint) AND recorded_at < $4::timestamptz
    ORDER BY recorded_at, job_id, first_seq
    LIMIT $7::bigint
),
sized AS MATERIALIZED (
    SELECT
        *,
        sum(CASE WHEN levels & $6::smallint = 0 THEN 0 ELSE last_seq - first_seq + 1 END) OVER (
            ORDER BY recorded_at, job_id, first_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS lines_before
    FROM batch
),
passed AS MATERIALIZED (
    SELECT * FROM sized WHERE COALESCE(lines_before, 0) < $8::bigint
),
chosen AS MATERIALIZED (
    SELECT * FROM passed WHERE levels & $6::smallint <> 0
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
    WHERE NOT $9::boolean
        AND line.job_id = chosen.job_id
        AND line.recorded_at = chosen.recorded_at
        AND line.seq BETWEEN chosen.first_seq AND chosen.last_seq
        AND line.level = ANY($5::smallint[])
    RETURNING line.level, octet_length(line.message) + COALESCE(pg_column_size(line.metadata), 0) AS size
),
told AS (
    SELECT line.level, octet_length(line.message) + COALESCE(pg_column_size(line.metadata), 0) AS size
    FROM chosen
    JOIN task_logs AS line
        ON line.job_id = chosen.job_id
        AND line.recorded_at = chosen.recorded_at
        AND line.seq BETWEEN chosen.first_seq AND chosen.last_seq
        AND line.level = ANY($5::smallint[])
    WHERE $9::boolean
),
emptied AS (
    DELETE FROM stored_batches AS known
    USING chosen
    WHERE NOT $9::boolean
        AND (known.recorded_at, known.job_id, known.first_seq) = (chosen.recorded_at, chosen.job_id, chosen.first_seq)
        AND chosen.levels & ~$6::smallint = 0
),
thinned AS (
    UPDATE stored_batches AS known
    SET levels = known.levels & ~$6::smallint
    FROM chosen
    WHERE NOT $9::boolean
        AND (known.recorded_at, known.job_id, known.first_seq) = (chosen.recorded_at, chosen.job_id, chosen.first_seq)
        AND chosen.levels & ~$6::smallint <> 0
),
-- What was stored at the very time of the last batch may go in the next step.
marked AS (
    INSERT INTO pruned_levels AS known (level, before)
    SELECT level, place.recorded_at
    FROM place, unnest($5::smallint[]) AS level
    WHERE NOT $9::boolean
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
