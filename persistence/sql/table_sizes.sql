-- A partitioned table is as large as its partitions. Indexes and long values count as parts of their tables.
SELECT
    named.name,
    (
        pg_total_relation_size(to_regclass(named.name))
        + (SELECT COALESCE(sum(pg_total_relation_size(part.relid)), 0)
            FROM pg_partition_tree(to_regclass(named.name)) AS part
            WHERE part.level > 0)
    )::bigint AS bytes
FROM unnest(:names::text[]) AS named (name)
