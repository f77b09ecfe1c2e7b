"""Upkeep of the tables beside the path of a line: partitions ahead of time, retention, and sizes.

Knows no reader. Start with `maintenance`.
"""
