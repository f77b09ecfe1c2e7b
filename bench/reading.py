"""Reading by HTTP: the service beside the bare endpoint, by 1 and 8 clients; and anywhere in a long job beside its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import Any

import orjson

from bench.figures import Figure
from domain.cursors import log_cursor

ROUNDS = 5
SECONDS = 1.0
LINES = (
    "query Page($job: String!, $first: Int, $after: String, $last: Int, $filter: LogFilter) { job(jobId: $job) "
    "{ logs(first: $first, after: $after, last: $last, filter: $filter) "
    "{ nodes { seq stage taskId timestamp level message metadata } } } }"
)
LINES_OF_TASK = (
    "query Page($job: String!, $stage: String!, $task: [String!]) { job(jobId: $job) { stage(name: $stage) "
    "{ logs(first: 100, filter: {taskIds: $task}) { nodes { seq stage taskId timestamp level message metadata } } } } }"
)
HIERARCHY = (
    "query Hierarchy($job: String!) { job(jobId: $job) { stages { name status logCounts { total error } "
    "tasks(first: 100) { nodes { taskId status logCounts { total info warning error } } } } } }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, and how often a mark is in a right answer."""

    request: bytes
    mark: bytes
    count: int


class Client:
    """One kept connection that speaks just enough HTTP."""

    def __init__(self, port: int, case: Case) -> None:
        self._port = port
        self._case = case
        self.answers = 0

    async def run_until(self, deadline: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.perf_counter() < deadline:
                writer.write(self._case.request)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                assert body.count(self._case.mark) == self._case.count, body[:200]
                self.answers += 1
        finally:
            writer.close()
            await writer.wait_closed()


def lines(job_id: str, count: int, **asked: Any) -> Case:
    """Ask for lines: `first`, `after`, `last` and `filter` as the API has them."""
    return Case(request=_post(LINES, job=job_id, **asked), mark=b'"message"', count=count)


def lines_of_task(job_id: str, stage: str, task_id: str, count: int) -> Case:
    request = _post(LINES_OF_TASK, job=job_id, stage=stage, task=[task_id])
    return Case(request=request, mark=b'"message"', count=count)


def hierarchy(job_id: str, tasks: int) -> Case:
    return Case(request=_post(HIERARCHY, job=job_id), mark=b'"taskId"', count=tasks)


def bare_lines(job_id: str, after: int, first: int) -> Case:
    return Case(request=_get(f"/page?job={job_id}&after={after}&first={first}"), mark=b'"message"', count=first)


def bare_tasks(job_id: str, tasks: int) -> Case:
    return Case(request=_get(f"/tasks?job={job_id}"), mark=b'"task_id"', count=tasks)


def _post(query: str, **variables: Any) -> bytes:
    body = orjson.dumps({"query": query, "variables": variables})
    head = f"POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


async def measure(
    service_port: int, bare_port: int, job_id: str, depth: int, trees: Sequence[tuple[str, int]]
) -> list[Figure]:
    """Compare pages behind a line of a job, and the hierarchies of jobs with that many tasks."""
    figures = []
    after = log_cursor(job_id, depth)
    for first in (100, 1000):
        ours, raw = lines(job_id, first, first=first, after=after), bare_lines(job_id, depth, first)
        figures += await _compare(f"page of {first:,} lines by HTTP", service_port, [ours], bare_port, [raw])
    what = f"hierarchy of {trees[0][1]} tasks by HTTP"
    cases, raws = [hierarchy(*tree) for tree in trees], [bare_tasks(*tree) for tree in trees]
    figures += await _compare(what, service_port, cases[:1], bare_port, raws[:1])
    return figures + await _compare(f"{what}, of a job each", service_port, cases, bare_port, raws, clients=(8,))


async def measure_long(port: int, job_id: str, total: int) -> list[Figure]:
    """Compare pages of a long job, as `bench.loading.long_job` makes it, with its first page."""
    first = lines(job_id, 100, first=100)
    others = {
        "in the middle": lines(job_id, 100, first=100, after=log_cursor(job_id, total // 2)),
        "at the end": lines(job_id, 100, last=100),
        "of one line in 100,000 by minLevel": lines(job_id, total // 100_000, first=100, filter={"minLevel": "ERROR"}),
        "of one line in 100,000 by levels": lines(job_id, total // 100_000, last=100, filter={"levels": ["TRACE"]}),
        "of one late stage": lines(job_id, 100, first=100, filter={"stages": ["stage_9"]}),
        "of one late task": lines_of_task(job_id, "stage_9", "task_9_4", 100),
    }
    figures = []
    for where, other in others.items():
        (figure,) = await _compare(
            f"page {where} of {total:,} lines beside the first", port, [other], port, [first], clients=(1,)
        )
        figures.append(figure)
    return figures


async def _compare(
    what: str,
    our_port: int,
    ours: Sequence[Case],
    other_port: int,
    others: Sequence[Case],
    *,
    clients: Sequence[int] = (1, 8),
) -> list[Figure]:
    """Measure by turns, so that both meet the same machine, and compare the medians. Clients take the cases in turn."""
    figures = []
    for count in clients:
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for own, port, cases in zip(rates, (our_port, other_port), (ours, others), strict=True):
                own.append(await _rate([Client(port, case) for case in islice(cycle(cases), count)]))
        name = f"{what}, {count} client{'s' if count > 1 else ''}"
        figures.append(Figure(what=name, ours=median(rates[0]), raw=median(rates[1]), unit="req/s"))
    return figures


async def _rate(clients: Sequence[Client]) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(client.run_until(start + SECONDS) for client in clients))
    return sum(client.answers for client in clients) / (time.perf_counter() - start)
