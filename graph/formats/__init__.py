"""Values as they are written: scalars, times, levels, media types, and fragments of JSON.

Knows nothing else of graph. Start with `scalars`.
"""
