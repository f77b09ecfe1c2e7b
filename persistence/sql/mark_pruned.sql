-- Says that no line of these levels is left of those that were stored before that time.
INSERT INTO pruned_levels AS known (level, before)
SELECT level, :before::timestamptz
FROM unnest(:levels::smallint[]) AS level
ON CONFLICT (level) DO UPDATE
SET before = GREATEST(known.before, EXCLUDED.before)
