"""Relay's connections: arguments checked, cursors read and written, edges and page info.

Knows no type of the schema. Start with `connections`.
"""
