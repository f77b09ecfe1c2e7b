"""Secrets in text and metadata: found in all their forms, and replaced before anything leaves the process.

Knows events only. Start with `masker`.
"""
