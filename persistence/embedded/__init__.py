"""The embedded PostgreSQL: found, initialised, started, watched and stopped with the process that wants it.

Knows nothing of Jobtail's tables. Start with `embedded_server`.
"""
