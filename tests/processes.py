"""The processes of a fault test: writers in processes of their own, and readers over the wire."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from domain.recorder import Recorder
from graph.capture.recorder_sink import RecorderSink
from jobtail import Writer
from jobtail.events import Line
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore

ROOT = Path(__file__).parent.parent
PATIENCE_S = 30.0
JOB_LOGS = """
subscription($jobId: String!, $after: String, $afterSeq: BigInt) {
  jobLogs(jobId: $jobId, after: $after, afterSeq: $afterSeq) {
    logs { seq message } endCursor caughtUp lastSeq jobStatus
  }
}
"""


async def until(condition: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds; one that has to ask somebody may be a coroutine function."""
    async with asyncio.timeout(patience_s):
        while True:
            state = condition()
            if await state if isawaitable(state) else state:
                return
            await asyncio.sleep(0.005)


class Reader:
    """Follows a job by a websocket, and goes on at its cursor where it is asked to read again."""

    def __init__(self, job_id: str, *, after_seq: int | None = 0) -> None:
        self.seqs: list[int] = []
        self.messages: list[str] = []
        self.cursor: str | None = None
        self.has_caught_up = False
        self.status: str | None = None
        """How the job ended; the stream completes then."""
        self.failure: Exception | None = None
        """What ended the reading before the stream completed."""
        self._job_id = job_id
        self._after_seq = after_seq

    @property
    def last_seq(self) -> int:
        return self.seqs[-1] if self.seqs else 0

    @asynccontextmanager
    async def following(self, url: str) -> AsyncIterator[asyncio.Task[None]]:
        """Read for as long as the context lasts; yields the task, which ends with the stream or the connection."""
        self.failure = None
        task = asyncio.create_task(self._read(url))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _read(self, url: str) -> None:
        begin = {"afterSeq": self._after_seq} if self.cursor is None else {"after": self.cursor}
        try:
            async with connected(url) as websocket, aclosing(batches(websocket, self._job_id, **begin)) as received:
                async for batch in received:
                    self._take(batch)
        except Exception as failure:  # noqa: BLE001 - whoever waits for the reader is told
            self.failure = failure

    async def until(self, seq: int, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until that line was read."""
        await until(lambda: self.last_seq >= seq or self.failure, patience_s=patience_s)
        assert self.failure is None, f"reading failed at line {self.last_seq}: {self.failure!r}"

    def _take(self, batch: dict[str, Any]) -> None:
        assert self.status is None, "nothing comes behind the last batch"
        self.seqs += [row["seq"] for row in batch["logs"]]
        self.messages += [row["message"] for row in batch["logs"]]
        self.cursor = batch["endCursor"]
        self.has_caught_up = self.has_caught_up or batch["caughtUp"]
        self.status = batch["jobStatus"]


@asynccontextmanager
async def reading(url: str, job_id: str, *, after_seq: int | None = 0) -> AsyncIterator[Reader]:
    """Let a reader follow for as long as the context lasts."""
    reader = Reader(job_id, after_seq=after_seq)
    async with reader.following(url):
        yield reader


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Open a websocket that is ready for subscriptions."""
    options = {
        "subprotocols": ["graphql-transport-ws"],
        "compression": None,
        "max_size": None,
        "proxy": None,
        **options,
    }
    async with connect(url, **options) as websocket:
        await websocket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await websocket.recv())["type"] == "connection_ack"
        yield websocket


async def batches(websocket: ClientConnection, job_id: str, **begin: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Subscribe to a job's lines, and yield batches until the stream completes."""
    payload = {"query": JOB_LOGS, "variables": {"jobId": job_id, **begin}}
    await websocket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
    async for message in websocket:
        match json.loads(message):
            case {"type": "next", "payload": {"data": {"jobLogs": dict() as batch}}}:
                yield batch
            case {"type": "complete"}:
                return
            case other:
                raise AssertionError(other)


@dataclass(frozen=True, slots=True)
class WriterProcess:
    """A worker with a writer, a database pool and a channel of its own."""

    process: subprocess.Popen[str]

    def begin(self) -> None:
        self._tell("begin")

    def stop(self) -> None:
        self._tell("stop")

    def captured(self) -> int:
        """Wait for its end, and tell how many lines it captured, all of which it stored."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert self.process.wait(PATIENCE_S) == 0
        return int(said)

    def _tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@contextmanager
def writer_process(
    database_url: str, job_id: str, name: str, *, lines: int, batch_lines: int, pause_s: float = 0
) -> Iterator[WriterProcess]:
    """Start a process that writes `<name> <number>`, from 0, once it is told to begin. No number of lines: until stopped."""
    arguments = [database_url, job_id, name, str(lines), str(batch_lines), str(pause_s)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.processes", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield WriterProcess(process)
    finally:
        process.kill()
        process.communicate()


async def _work(database_url: str, job_id: str, name: str, lines: int, batch_lines: int, pause_s: float) -> None:
    async with Database(database_url, pool_size=2) as database, BroadcastChannel(database_url) as channel:
        sink = RecorderSink(Recorder(PostgresLogStore(database), channel), asyncio.get_running_loop())
        writer = Writer(sink, max_batch_events=batch_lines, max_age_s=0.005, max_pause_s=0.5)
        captured = await asyncio.to_thread(_capture, writer, job_id, name, lines, pause_s)
        assert await asyncio.to_thread(writer.close, PATIENCE_S)
    print(captured, flush=True)  # noqa: T201 - the parent reads it


def _capture(writer: Writer, job_id: str, name: str, lines: int, pause_s: float) -> int:
    sys.stdin.readline()
    stopped = threading.Event()

    def hear_stop() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=hear_stop, daemon=True).start()
    number = 0
    while not (stopped.wait(pause_s) if pause_s else stopped.is_set()) and (number < lines or not lines):
        writer.capture(Line(job_id=job_id, message=f"{name} {number}", stage=name))
        number += 1
    return number


if __name__ == "__main__":
    url_argument, job_argument, name_argument, lines_argument, batch_argument, pause_argument = sys.argv[1:]
    asyncio.run(
        _work(
            url_argument,
            job_argument,
            name_argument,
            int(lines_argument),
            int(batch_argument),
            float(pause_argument),
        )
    )
