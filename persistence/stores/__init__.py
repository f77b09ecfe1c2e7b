"""The stores of jobs, tasks, lines, executions and tokens: each satisfies one port of `domain.ports`.

Knows no page mechanism of its own: that is `persistence.queries`. Start with `log_store`, the path of a line.
"""
