"""Delivery to a service: over HTTP, in order, from memory or from the spool on disk.

Knows no job. Start with `outbox`; `spool` is what survives the process.
"""
