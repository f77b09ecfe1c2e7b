"""Lets a request of plain HTTP in, and hands it what its caller may reach."""

from __future__ import annotations

from starlette.requests import Request

from domain.access import Grant, Scope
from graph.context import Services, seen


async def entered(request: Request, scope: Scope) -> Services:
    """Give the services as the caller may see them, and note what it may do in the request's state.

    Raises:
        Unauthenticated: without a valid token.
        Forbidden: if the token does not allow this.
    """
    request.state.grant = grant = await granted(request, scope)
    return seen(request.app.state.services, grant)


async def granted(request: Request, scope: Scope) -> Grant:
    """Find what the caller may do; raises as `entered` does."""
    grant: Grant = await request.app.state.gate.admit(request.headers.get("authorization"))
    grant.require(scope)
    return grant
