"""The offline GraphiQL page that a browser gets from /graphql, as `make web` builds it from web/graphiql."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

BUILT_PAGE: Final = Path(__file__).parent / "static" / "graphiql" / "index.html"

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

UNBUILT_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>GraphiQL - Jobtail</title><link rel="icon" href="data:,"></head>
<body>
<h1>GraphiQL is not built yet</h1>
<p>Run <code>make web</code> in the checkout and load this page again. The API itself answers at this address already.</p>
</body>
</html>
"""


def graphiql_page() -> str:
    """Return the built page, or one that says how to build it. A new build is seen without a restart."""
    try:
        built_at_ns = BUILT_PAGE.stat().st_mtime_ns
    except FileNotFoundError:
        return UNBUILT_PAGE
    return _read(BUILT_PAGE, built_at_ns)


@lru_cache(maxsize=1)
def _read(page: Path, _built_at_ns: int) -> str:
    return page.read_text(encoding="utf-8")
