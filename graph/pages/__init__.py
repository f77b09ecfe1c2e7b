"""The pages that `make web` builds: the viewer and GraphiQL, with their content security policy.

Knows no data: a page asks the API like any client. Start with `viewer`.
"""
