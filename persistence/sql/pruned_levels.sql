SELECT level, before
FROM pruned_levels
