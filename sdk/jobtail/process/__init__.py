"""The process around the capture: what happens at a fork and at its end.

Knows no job. Start with `exit_hooks`.
"""
