SELECT task_logs_ensure_week(:day::date) AS is_made
