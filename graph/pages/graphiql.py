"""The offline GraphiQL page that a browser gets from /graphql, as `make web` builds it from web/graphiql."""

from __future__ import annotations

from typing import Final

from graph.pages.built_page import STATIC, BuiltPage

GRAPHIQL_CSP: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "  # the library of its dialogs lays style elements into the page
    "font-src data:; "
    "img-src 'self' data:; "
    "connect-src 'self'; "  # same-origin websockets included, in every browser since 2022
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page: nothing from elsewhere, no inline script, no eval."""

GRAPHIQL: Final = BuiltPage("GraphiQL", STATIC / "graphiql" / "index.html", GRAPHIQL_CSP)
