-- Whose texts are sorted by another version of a collation than their indexes were built with.
SELECT
    'database ' || quote_ident(datname) AS name,
    datcollversion AS built,
    pg_database_collation_actual_version(oid) AS present
FROM pg_database
WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)
UNION ALL
SELECT 'collation ' || quote_ident(collname), collversion, pg_collation_actual_version(oid)
FROM pg_collation
WHERE oid = to_regcollation(:collation::text) AND collversion <> pg_collation_actual_version(oid)
