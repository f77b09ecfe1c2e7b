"""GraphQL over HTTP: the endpoint, its request body, and health.

Knows no store. Start with `graphql_endpoint`.
"""
