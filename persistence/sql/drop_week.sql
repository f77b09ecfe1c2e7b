SELECT task_logs_drop_week($1::text::regclass)
