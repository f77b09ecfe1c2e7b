"""Capture for queues: `install` in a module named after the library.

Each imports that library, and no other module does. Start with `runs`, which they share.
"""
