"""The viewer, as `make web` builds it from web/viewer: one page at each address that it has a view for."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from graph.errors import http_answer
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
    """Route what the page has a view for. A slash at the end changes nothing."""
    plain = [Route(path + end, _page_for_browsers) for path in ("/jobs", "/executions", "/search") for end in ("", "/")]
    named = [
        RawPathRoute(path + end, _page_for_browsers)
        for path in ("/jobs/{job_id}", "/executions/{execution_id}")
        for end in ("", "/")
    ]
    return [
        Route("/", _page),
        *plain,
        *named,
        Mount("/static", _BuiltFiles(directory=STATIC, check_dir=False), middleware=[Middleware(GZipMiddleware)]),
    ]


async def _page(_: Request) -> Response:
    return VIEWER.answer()


async def not_found(request: Request, error: Exception) -> Response:
    """Answer browsers that were led nowhere with the page, which says so and leads on."""
    if _is_browser(request) and not request.url.path.startswith("/static/"):
        return VIEWER.answer(status=404)
    return await http_answer(request, error)


def _is_browser(request: Request) -> bool:
    return request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")


async def _page_for_browsers(request: Request) -> Response:
    """Answer browsers with the page, and tell programs where the data is."""
    if not _is_browser(request):
        raise HTTPException(
            404, "this page is for browsers (Accept: text/html); data is at /graphql, lines at .../logs"
        )
    return VIEWER.answer()


class _BuiltFiles(StaticFiles):
    """Files whose names change with what they hold are kept by browsers for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file. The pages have addresses of their own, where they come with a policy of what they may do."""
        if path.endswith(".html"):
            return RedirectResponse("/graphql" if path.startswith("graphiql") else "/")
        response = await super().get_response(path, scope)
        if path.startswith("assets/") and response.status_code == 200:  # noqa: PLR2004 - OK
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
