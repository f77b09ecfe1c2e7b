"""The command `jobtail`: `run` captures any command, `tail` follows a job, `flush` sends what waits.

Imports the rest of the SDK, and nothing of it imports this. Start with `cli`.
"""
