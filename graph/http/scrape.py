"""The scrape of metrics: the route by which Prometheus reads the instruments of this process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.requests import Request
from starlette.responses import Response

from domain.access import Scope
from domain.errors import Forbidden
from graph.access.admitted import granted
from graph.formats.media_types import accepted

FORMATS = ("text/plain", "application/openmetrics-text")


class Scrape:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def get(self, request: Request) -> Response:
        """Write all metrics, as text or as OpenMetrics.

        Raises:
            Forbidden: if the caller's token is not for metrics, or for some jobs only: these are numbers of all.
        """
        grant = await granted(request, Scope.METRICS)
        if grant.job_prefix is not None:
            raise Forbidden(f"{Scope.METRICS} of all jobs")
        if accepted(request.headers.get("accept", ""), FORMATS) == FORMATS[0]:
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
        written = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call] # it says nothing of its types
        return Response(written, media_type=openmetrics.CONTENT_TYPE_LATEST)
