"""The service's own log, metrics and traces.

Knows operations by their names, never by their values. Start with `metrics`.
"""
