SELECT last_n
FROM capture_positions
WHERE job_id = $1::text AND writer_id = $2::uuid
