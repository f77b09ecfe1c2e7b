SELECT task_logs_ensure_week($1::date) AS is_made
