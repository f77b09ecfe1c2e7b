"""The cast: the worker in a process of its own, the service that ends and starts again, and what Postgres has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest

from tests.conftest import ROOT, Service, connect, serving
from tests.faults.capture.proxy import free_port
from tests.processes import until

PATIENCE_S = 60.0
NOT_SENDING = "capture can't send"
SENDING_AGAIN = "capture can send again"


class ReturningService:
    """The service, on one port and one database however often it is started."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._port = free_port()
        self._running = ExitStack()
        self._service: Service | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> Service:
        assert self._service is not None
        return self._service

    async def start(self) -> None:
        self._service = await asyncio.to_thread(
            self._running.enter_context, serving(self._database_url, JOBTAIL_PORT=str(self._port))
        )

    async def stop(self) -> None:
        """End it as an operator does."""
        await asyncio.to_thread(self._running.close)

    async def kill(self) -> None:
        self.running.process.kill()
        await self.stop()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it do nothing at all; the system still takes connections for it."""
        self.running.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.running.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def returning_service(database_url: str, *, is_started: bool = True) -> AsyncIterator[ReturningService]:
    service = ReturningService(database_url)
    try:
        if is_started:
            await service.start()
        yield service
    finally:
        await service.stop()


class Worker:
    """A process that runs a story of `worker.py`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._reports: list[tuple[str, Any, float]] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def said(self) -> int:
        """How many lines it had said when it last told."""
        return self.said_before(time.monotonic())

    def said_before(self, moment: float) -> int:
        """How many lines it is known to have said by then, on the monotonic clock."""
        return max((value for kind, value, at in self._reports.copy() if kind == "said" and at <= moment), default=0)

    def told(self, kind: str) -> Any:
        """Give what it told of that kind last."""
        return next((value for told, value, _ in reversed(self._reports.copy()) if told == kind), None)

    def told_at(self, kind: str) -> float:
        """Give the moment at which it first told of that kind, on the monotonic clock."""
        return next(at for told, _, at in self._reports.copy() if told == kind)

    @property
    def log(self) -> str:
        """What stands in the log of its process."""
        return self._log.read_text()

    def release(self) -> None:
        """End its stdin, which some stories wait for."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> float:
        """Kill it with -9, and say when."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self._listening.join(PATIENCE_S)
        return at

    async def end(self, *, patience_s: float = PATIENCE_S) -> int:
        """Wait for its own end, and give its exit status. One that does not come writes where it hangs into its log."""
        try:
            await until(lambda: self.process.poll() is not None, patience_s=patience_s)
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGABRT)
            self.process.wait(PATIENCE_S)
            pytest.fail(f"the worker did not end in {patience_s} s:\n{self.log}")
        await asyncio.to_thread(self._listening.join, PATIENCE_S)
        return self.process.wait()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                kind, value, at = json.loads(line)
                self._reports.append((kind, value, at))


@contextmanager
def working(
    url: str,
    directory: Path,
    story: str,
    *,
    options: dict[str, Any] | None = None,
    program: str = "worker",
    **arguments: Any,
) -> Iterator[Worker]:
    """Run a story in a process whose spool lies in the directory. `options` are those of `worker.main`."""
    directory.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONFAULTHANDLER": "1",
        "JOBTAIL_URL": url,
        "JOBTAIL_SPOOL_DIR": str(directory / "spool"),
    }
    command = [sys.executable, "-m", f"tests.faults.capture.{program}", story, json.dumps(arguments)]
    log = directory / f"{story}-{time.monotonic_ns()}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, json.dumps(options or {})],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):  # its children too, where it had any
            os.killpg(process.pid, signal.SIGKILL)
        worker.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


@dataclass(frozen=True, slots=True)
class StoredLine:
    seq: int
    message: str
    level: int
    timestamp: Any
    metadata: dict[str, Any] | None


class Store:
    """What stands in Postgres, read past the service."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def opened(cls, database_url: str) -> AsyncIterator[Self]:
        connection = await connect(database_url)
        try:
            yield cls(connection)
        finally:
            await connection.close()

    async def last_seq(self, job_id: str) -> int:
        return await self._connection.fetchval("SELECT last_seq FROM jobs WHERE job_id = $1", job_id) or 0

    async def status(self, job_id: str) -> str | None:
        status: str | None = await self._connection.fetchval("SELECT status FROM jobs WHERE job_id = $1", job_id)
        return status

    async def handler(self, job_id: str) -> str | None:
        name: str | None = await self._connection.fetchval("SELECT handler_name FROM jobs WHERE job_id = $1", job_id)
        return name

    async def lines(self, job_id: str) -> list[StoredLine]:
        """Read a job's lines in the order of their numbers, which have no gaps."""
        rows = await self._connection.fetch(
            "SELECT seq, message, level, timestamp, metadata FROM task_logs WHERE job_id = $1 ORDER BY seq", job_id
        )
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        assert await self.last_seq(job_id) == len(rows)
        return [
            StoredLine(
                row["seq"],
                row["message"],
                row["level"],
                row["timestamp"],
                None if row["metadata"] is None else json.loads(row["metadata"]),
            )
            for row in rows
        ]

    async def messages(self, job_id: str) -> list[str]:
        return [line.message for line in await self.lines(job_id)]

    async def until_lines(self, job_id: str, count: int, *, patience_s: float = PATIENCE_S) -> None:
        async def has_them() -> bool:
            return await self.last_seq(job_id) >= count

        await until(has_them, patience_s=patience_s)

    async def until_finished(self, job_id: str, *, patience_s: float = PATIENCE_S) -> None:
        async def is_finished() -> bool:
            return await self.status(job_id) in {"COMPLETED", "FAILED", "CANCELLED"}

        await until(is_finished, patience_s=patience_s)


def counted(name: str, lines: int, *, begin: int = 0) -> list[str]:
    """Tell what the story `count` says."""
    return [f"{name} {number}" for number in range(begin, lines)]


def of_writer(messages: Sequence[str], name: str) -> list[str]:
    return [message for message in messages if message.startswith(f"{name} ")]
