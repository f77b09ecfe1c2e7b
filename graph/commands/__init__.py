"""The commands of `jobtail-server` beside `serve`.

Knows `app` for its stores, and no route. Start with `running`, which turns errors into one line.
"""
