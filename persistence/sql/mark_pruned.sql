-- Says that no line of the levels $1 is left of those that were stored before $2.
INSERT INTO pruned_levels AS known (level, before)
SELECT level, $2::timestamptz
FROM unnest($1::smallint[]) AS level
ON CONFLICT (level) DO UPDATE
SET before = GREATEST(known.before, EXCLUDED.before)
