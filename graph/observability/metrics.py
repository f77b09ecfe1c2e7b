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

from graph.errors import CODES
from graph.operations.watch import OperationName
from jobtail.events import LogLevel

FIRST_ERROR = 400
WATCHED = {
    "/graphql": (401, 403, 413, 429, 500, 503),
    "/api/capture": (401, 403, 413, 429, 500, 503),
    "/v1/logs": (401, 403, 413, 429, 500, 503),
}
"""Errors that are counted from 0: of a series that begins with 1, `increase()` of Prometheus does not see the first."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


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
        for code in sorted(CODES):
            self.graphql_errors.labels(code)
        self.http_errors = self._counter("http_errors", "Requests that were answered by an error.", "route", "status")
        for route, statuses in WATCHED.items():
            for status in statuses:
                self.http_errors.labels(route, status)
        self.tokens_refused = self._counter("tokens_refused", "Calls whose token was missing or not valid.")
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

    def answered(self, route: str, status: int) -> None:
        """Count an answer that is an error."""
        if status >= FIRST_ERROR:
            self.http_errors.labels(route, status).inc()

    def token_refused(self) -> None:
        self.tokens_refused.inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"jobtail_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"jobtail_{name}_seconds", text, labels, buckets=BUCKETS_S, registry=self.registry)
