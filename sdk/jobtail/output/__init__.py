"""Standard streams of a job, captured line by line while they go on to the terminal.

Knows no writer: a line goes to the job that is open. Start with `stream_capture`.
"""
