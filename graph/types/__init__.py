"""The types of the schema: thin views of the domain, made by `from_domain`.

Knows neither HTTP nor how a query is planned. Start with `jobs`.
"""
