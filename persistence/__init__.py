"""Postgres and the channel, behind the ports of the domain."""
