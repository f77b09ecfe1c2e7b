"""The regular expressions of a search: one documented syntax that every engine can match in linear time.

Knows no engine. Start with `pattern`.
"""
