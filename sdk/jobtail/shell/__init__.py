"""The command `jobtail`: `run` captures any command, `tail` follows a job in the terminal.

Imports the rest of the SDK, and nothing of it imports this. Start with `cli`.
"""
