-- What of the database's form is not there, of all that the migrations made.
SELECT wanted.kind, wanted.name, wanted.of_table
FROM unnest(:kinds::text[], :names::text[], :tables::text[]) AS wanted (kind, name, of_table)
WHERE NOT CASE wanted.kind
    WHEN 'table' THEN to_regclass(wanted.name) IS NOT NULL
    WHEN 'function' THEN to_regproc(wanted.name) IS NOT NULL
    WHEN 'collation' THEN to_regcollation(wanted.name) IS NOT NULL
    WHEN 'index' THEN EXISTS (
        SELECT FROM pg_index WHERE indexrelid = to_regclass(wanted.name) AND indisvalid
    )
    WHEN 'constraint' THEN EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = to_regclass(wanted.of_table) AND conname = wanted.name
    )
END
