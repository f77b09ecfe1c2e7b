"""Live delivery: rings of the newest rows, and the cursors that readers pull with.

Knows no connection and no client. Start with `job_tail`; `tail_hub` keeps one tail a job, `job_feed` tells of changed jobs.
"""
