"""The planner: answers a query by columns of rows, instead of field by field.

Whatever it does not know falls back to graphql-core before anything is loaded. Start with `planner`.
"""
