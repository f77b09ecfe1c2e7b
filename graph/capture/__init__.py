"""Capture over HTTP: events as NDJSON or OTLP become batches of the recorder.

Knows neither readers nor GraphQL. Start with `endpoint`; `admission` bounds what all batches hold together.
"""
