"""Routes whose parameters may hold any character: an id with a slash is sent as %2F, and stays one parameter."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.routing import Match, Route
from starlette.types import Scope


class RawPathRoute(Route):
    """Matches the path as it was sent, and decodes the parameters one by one."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if "raw_path" not in scope:
            return super().matches(scope)
        found, child = super().matches({**scope, "path": scope["raw_path"].decode("ascii")})
        if found is not Match.NONE:
            child["path_params"] = {name: unquote(value) for name, value in child["path_params"].items()}
        return found, child
