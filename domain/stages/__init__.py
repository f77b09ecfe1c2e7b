"""Stages and tasks of a job, as they follow from what was captured.

Knows no store. Start with `stage_status`, which derives a stage's status; `job_stages` shares one reading of it.
"""
