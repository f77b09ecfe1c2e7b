"""The service as clients see it: the GraphQL API, plain HTTP, the pages and the command line.

Only `app` and `cli` know persistence. Start with `app`, which puts the service together, and `schema`.
"""
