"""A page of 100 lines by HTTP: the service beside the bare endpoint, by 1 and 8 clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import orjson

from bench.figures import Figure

ROUNDS = 5
SECONDS = 1.0
QUERY = (
    "query Page($job: String!, $after: String) { job(jobId: $job) { logs(first: 100, after: $after) "
    "{ nodes { seq stage taskId timestamp level message metadata } } } }"
)


class Client:
    """One kept connection that speaks just enough HTTP."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self.answers = 0

    async def run_until(self, deadline: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.perf_counter() < deadline:
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                assert body.count(b'"message"') == 100, body[:200]
                self.answers += 1
        finally:
            writer.close()
            await writer.wait_closed()


def graphql_request(job_id: str, after: str) -> bytes:
    body = orjson.dumps({"query": QUERY, "variables": {"job": job_id, "after": after}})
    head = f"POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def bare_request(job_id: str, after: int) -> bytes:
    return f"GET /page?job={job_id}&after={after}&first=100 HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


async def measure(service_port: int, bare_port: int, ours: bytes, raw: bytes) -> list[Figure]:
    figures = []
    for clients in (1, 8):
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            rates[0].append(await _rate([Client(service_port, ours) for _ in range(clients)]))
            rates[1].append(await _rate([Client(bare_port, raw) for _ in range(clients)]))
        what = f"page of 100 lines by HTTP, {clients} client{'s' if clients > 1 else ''}"
        figures.append(Figure(what=what, ours=median(rates[0]), raw=median(rates[1]), unit="req/s"))
    return figures


async def _rate(clients: Sequence[Client]) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(client.run_until(start + SECONDS) for client in clients))
    return sum(client.answers for client in clients) / (time.perf_counter() - start)
