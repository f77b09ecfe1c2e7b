"""The log by plain HTTP: pages, downloads and counts, described as OpenAPI.

Knows no GraphQL. Start with `routes`.
"""
