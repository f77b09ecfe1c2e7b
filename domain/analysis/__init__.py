"""Conclusions from the lines of a job: its timeline, its message templates, and what differs between two runs.

Knows readers' ports only, and never the path of a line. Start with `incremental_cache`, which the others count by.
"""
