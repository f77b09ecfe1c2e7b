-- Tells whether a parent descends from its child, over any number of jobs. Only a job that has children can have it so: of
-- others nothing is walked.
WITH RECURSIVE ancestor AS (
    SELECT :parent_job_id::text AS job_id
    WHERE EXISTS (SELECT FROM jobs WHERE parent_job_id = :job_id::text)
    UNION
    SELECT jobs.parent_job_id
    FROM ancestor
    JOIN jobs USING (job_id)
    WHERE jobs.parent_job_id IS NOT NULL
)
SELECT :parent_job_id::text = :job_id::text OR EXISTS (SELECT FROM ancestor WHERE job_id = :job_id::text) AS is_so
