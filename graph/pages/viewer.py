"""The viewer, as `make web` builds it from web/viewer: one page at each address that it has a view for."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from graph.pages.built_page import STATIC, BuiltPage
from graph.server.raw_path_route import RawPathRoute

VIEWER_CSP: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "  # the icon
    "connect-src 'self'; "  # same-origin websockets included, in every browser since 2022
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "  # a line of a log never becomes markup
    "trusted-types 'none'"
)
"""The Content-Security-Policy of the page: nothing from elsewhere, nothing inline, no eval, no markup made of text."""

VIEWER: Final = BuiltPage("The viewer", STATIC / "viewer" / "index.html", VIEWER_CSP)


def viewer_routes() -> list[BaseRoute]:
    return [
        Route("/", _page),
        Route("/executions", _page_for_browsers),
        RawPathRoute("/jobs/{job_id}", _page_for_browsers),
        RawPathRoute("/executions/{execution_id}", _page_for_browsers),
        Mount("/static", _BuiltFiles(directory=STATIC, check_dir=False), middleware=[Middleware(GZipMiddleware)]),
    ]


async def _page(_: Request) -> Response:
    return VIEWER.answer()


async def _page_for_browsers(request: Request) -> Response:
    """Answer browsers with the page, and tell programs where the data is."""
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(
            404, "this page is for browsers (Accept: text/html); data is at /graphql, lines at .../logs"
        )
    return VIEWER.answer()


class _BuiltFiles(StaticFiles):
    """Files whose names change with what they hold are kept by browsers for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if path.startswith("assets/") and response.status_code == 200:  # noqa: PLR2004 - OK
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
