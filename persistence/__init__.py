"""Postgres and the channel, behind the ports of the domain.

Knows nothing of GraphQL or HTTP. Start with `database`, the pools that all statements go through, and `tables`.
"""
