SELECT last_n
FROM capture_positions
WHERE job_id = :job_id::text AND writer_id = :writer_id::uuid
