"""A job while it is open: its session, the wrapped emitter, stages and tasks, and logging's handler.

Knows neither the network nor the disk: an event goes to the writer of `jobtail.client`. Start with `session`.
"""
