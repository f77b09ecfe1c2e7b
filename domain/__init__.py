"""A job log: its values, its rules, and the ports to whatever stores and carries it.

Knows neither Postgres nor GraphQL. Start with `jobs`, `logs` and `ports`; `recorder` is the way of a batch.
"""
