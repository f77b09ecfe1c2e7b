SELECT task_logs_drop_week(:week::text::regclass)
