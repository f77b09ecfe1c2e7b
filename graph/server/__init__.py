"""The HTTP server: how uvicorn is run, bounded and stopped.

Knows no route. Start with `serving`.
"""
