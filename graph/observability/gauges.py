"""Gauges: figures that the parts of the service have of themselves, read at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub


class PoolGauge(Protocol):
    """How many connections a pool has."""

    @property
    def busy(self) -> int: ...
    @property
    def idle(self) -> int: ...
    @property
    def most(self) -> int: ...


class Pool(Protocol):
    @property
    def connections(self) -> PoolGauge: ...


class Channel(Protocol):
    @property
    def is_healthy(self) -> bool: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def forgotten(self) -> int: ...


class Captures(Protocol):
    @property
    def taken(self) -> int: ...


class Sizes(Protocol):
    @property
    def bytes(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges(Collector):
    """Reads numbers only; nothing here waits."""

    hub: TailHub
    feed: JobFeed
    channel: Channel
    pool: Pool
    admission: Captures
    sizes: Sizes

    def collect(self) -> Iterator[Metric]:
        yield from self._readers()
        yield from self._channel()
        yield from self._database()
        yield _gauge("captures_in_progress", "Batches that are being parsed and stored.", self.admission.taken)

    def _readers(self) -> Iterator[Metric]:
        subscribers = GaugeMetricFamily(
            "jobtail_subscribers",
            "Subscriptions: `job` to the lines or the state of a job, `jobs` to the list of jobs.",
            labels=["kind"],
        )
        tails = self.hub.tails
        subscribers.add_metric(["job"], sum(tail.readers for tail in tails))
        subscribers.add_metric(["jobs"], self.feed.watchers)
        yield subscribers
        yield _gauge("followed_jobs", "Jobs that somebody follows.", len(tails))
        lags = [tail.lag() for tail in tails]
        lines = max((lag.lines for lag in lags), default=0)
        yield _gauge("tail_lag_lines", "Stored lines that the reader furthest behind has not been sent.", lines)
        seconds = max((lag.seconds for lag in lags), default=0.0)
        yield _gauge("tail_lag_seconds", "Since a reader that is behind last had all lines, the longest.", seconds)

    def _channel(self) -> Iterator[Metric]:
        yield _gauge("channel_up", "Whether announcements flow.", self.channel.is_healthy)
        yield _counter("channel_reconnects", "How often listening began again.", self.channel.reconnects)
        yield _counter(
            "announcements_forgotten", "Announcements given up unsent; their lines were late.", self.channel.forgotten
        )

    def _database(self) -> Iterator[Metric]:
        now = self.pool.connections
        connections = GaugeMetricFamily(
            "jobtail_pool_connections", "Connections of the pool to PostgreSQL.", labels=["state"]
        )
        connections.add_metric(["busy"], now.busy)
        connections.add_metric(["idle"], now.idle)
        yield connections
        yield _gauge("pool_connections_max", "How many connections the pool may have.", now.most)
        storage = GaugeMetricFamily(
            "jobtail_storage_bytes", "Room that a table takes with its indexes, of late.", labels=["table"]
        )
        for table, size in self.sizes.bytes.items():
            storage.add_metric([table], size)
        yield storage


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"jobtail_{name}", text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"jobtail_{name}", text, value)
