"""The command `jobtail`: `run` captures any command, `tail` follows a job in the terminal."""
