"""The writer: numbers a process's events, gathers batches, and hands them to a sink in order.

Knows no network. Start with `writer`; `buffer` is its bound in memory.
"""
