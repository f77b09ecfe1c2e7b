"""The metrics of the service, its counters and timers for Prometheus. Each application has a registry of its own.

Labels have few values: routes, root fields, levels, codes. Ids of jobs and names from clients are none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.requests import Request
from starlette.responses import Response

from domain.access import Scope
from domain.errors import Forbidden
from graph.access.admitted import granted
from graph.formats.media_types import accepted
from graph.operations.watch import OperationName
from jobtail.events import LogLevel

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FORMATS = ("text/plain", "application/openmetrics-text")


class Timed:
    """Observes how long it was entered."""

    __slots__ = ("_begun", "_durations")

    def __init__(self, durations: Histogram) -> None:
        self._durations = durations

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self._durations.observe(time.perf_counter() - self._begun)


class Metrics:
    """The instruments of one application, and the registry that they are in."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._labelled: dict[tuple[Any, ...], Histogram] = {}
        stored = self._counter("lines_stored", "Lines stored by this process.", "level")
        self.lines_stored = {level: stored.labels(level.name) for level in LogLevel}
        self.batches_stored = self._counter("batches_stored", "Batches stored, one a job and statement.")
        self.batches_repeated = self._counter("batches_repeated", "Batches that were sent again and had been stored.")
        self.lines_given_up = self._counter(
            "lines_given_up", "Lines that workers could not keep, as they say themselves once they can send again."
        )
        self.store_duration = self._histogram("store_duration", "Time to store a batch, failures included.")
        self.http_duration = self._histogram(
            "http_request_duration",
            "Time to answer a request whole; of an event stream, to begin.",
            "method",
            "route",
            "status",
        )
        self.websockets = Gauge("jobtail_websockets", "Open websockets.", registry=self.registry)
        self.graphql_duration = self._histogram(
            "graphql_duration", "Time to execute a query or a mutation, by its root field.", "type", "field"
        )
        self.graphql_errors = self._counter("graphql_errors", "Errors of GraphQL operations.", "code")
        self.unplanned_operations = self._counter(
            "unplanned_operations", "Queries and subscriptions that graphql-core answers, for want of a plan.", "reason"
        )
        Info("jobtail_build", "What runs.", registry=self.registry).info({"version": version("jobtail-server")})
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def operation(self, operation: OperationName) -> Timed:
        """Time a query or a mutation; satisfies `graph.operations.watch.Watch`."""
        return Timed(self.labelled(self.graphql_duration, operation.type, operation.field))

    def labelled(self, instrument: Histogram, *labels: str | int) -> Histogram:
        """Find what counts for some labels. There are few of them, and the library's own way takes longer than a count."""
        known = self._labelled.get((instrument, *labels))
        if known is None:
            known = self._labelled[instrument, *labels] = instrument.labels(*labels)
        return known

    def unplanned(self, reason: str) -> None:
        self.unplanned_operations.labels(reason).inc()

    def failed(self, codes: Iterable[str]) -> None:
        for code in codes:
            self.graphql_errors.labels(code).inc()

    async def scrape(self, request: Request) -> Response:
        """Write all metrics, as text or as OpenMetrics.

        Raises:
            Forbidden: if the caller's token is not for metrics, or for some jobs only: these are numbers of all.
        """
        grant = await granted(request, Scope.METRICS)
        if grant.job_prefix is not None:
            raise Forbidden(f"{Scope.METRICS} of all jobs")
        if accepted(request.headers.get("accept", ""), FORMATS) == FORMATS[0]:
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
        written = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call] # it says nothing of its types
        return Response(written, media_type=openmetrics.CONTENT_TYPE_LATEST)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"jobtail_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"jobtail_{name}_seconds", text, labels, buckets=BUCKETS_S, registry=self.registry)
