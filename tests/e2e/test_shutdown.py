"""The end of the service: quick whatever is open, silent, and without loss of what was accepted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals
from typing import Self

import httpx
import pytest
from gql.transport.exceptions import TransportConnectionFailed
from websockets.exceptions import ConnectionClosed

from tests.client import JOB_LOGS, PATIENCE_S, Api, by_sse, by_websocket
from tests.conftest import ROOT, Service

LIMIT_S = 5
JOBS_UPDATED = "subscription { jobsUpdated { jobId } }"


@contextmanager
def running(data_dir: Path, said: Path) -> Iterator[Service]:
    """Run the service on an embedded database of its own; what it says on stderr goes into a file."""
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    settings = {"JOBTAIL_PORT": "0", "JOBTAIL_DATA_DIR": str(data_dir)}
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", "from graph.cli import main; main()", "serve"],
            cwd=ROOT,
            env={**kept, **settings},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "GraphiQL: " in line, said.read_text()
        yield Service(line.split("GraphiQL: ")[1].strip().removesuffix("/graphql"), process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _end(service: Service, signal: Signals) -> float:
    before = time.monotonic()
    service.process.send_signal(signal)
    service.process.wait(PATIENCE_S)
    return time.monotonic() - before


class Capturing:
    """Captures line after line from a thread until the service is gone, and keeps what it was promised."""

    def __init__(self, service: Service, job_id: str) -> None:
        self.accepted: list[str] = []
        self._service = service
        self._job_id = job_id
        self._thread = threading.Thread(target=self._run)
        self.has_begun = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with Api(self._service) as api, suppress(httpx.HTTPError):
            n = 0
            while True:
                n += 1
                message = f"line {n}"
                query = """
                mutation ($jobId: String!, $message: String!) {
                  captureLogs(jobId: $jobId, lines: [{stage: "a", message: $message}]) { lastSeq }
                }
                """
                answer = api.answer(query, jobId=self._job_id, message=message)
                if "errors" in answer:
                    return
                self.accepted.append(message)
                if n == 20:
                    self.has_begun.set()


def _messages(api: Api, job_id: str) -> list[str]:
    query = """
    query ($id: String!, $after: String) {
      job(jobId: $id) { logs(first: 1000, after: $after) { nodes { message } pageInfo { endCursor hasNextPage } } }
    }
    """
    messages: list[str] = []
    after, has_more = None, True
    while has_more:
        page = api.ask(query, id=job_id, after=after)["job"]["logs"]
        messages += [line["message"] for line in page["nodes"]]
        after, has_more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return messages


@pytest.mark.parametrize("signal", [SIGINT, SIGTERM, SIGHUP])
async def test_a_signal_ends_the_service_with_open_streams_and_loses_nothing(tmp_path: Path, signal: Signals) -> None:
    data_dir, said = tmp_path / "data", tmp_path / "said"
    with running(data_dir, said) as service:
        async with AsyncExitStack() as stack:
            with Capturing(service, "JB_1") as one, Capturing(service, "JB_2") as two:
                for subscribe in (by_websocket, by_sse):
                    lines = await stack.enter_async_context(subscribe(service, JOB_LOGS, jobId="JB_1", afterSeq=0))
                    quiet = await stack.enter_async_context(subscribe(service, JOB_LOGS, jobId="JB_NOBODY"))
                    jobs = await stack.enter_async_context(subscribe(service, JOBS_UPDATED))
                    for events in (lines, quiet, jobs):
                        await events.next()
                assert await asyncio.to_thread(one.has_begun.wait, PATIENCE_S)
                assert await asyncio.to_thread(two.has_begun.wait, PATIENCE_S)
                took_s = await asyncio.to_thread(_end, service, signal)
            with suppress(AssertionError, httpx.HTTPError, TransportConnectionFailed, ConnectionClosed):
                await stack.aclose()
        assert took_s < LIMIT_S
        assert service.process.returncode == 0
        assert "Traceback" not in said.read_text(), said.read_text()
        assert not [line for line in said.read_text().splitlines() if "error" in line.lower()], said.read_text()
    with running(data_dir, said) as service, Api(service) as api:
        for each, job_id in ((one, "JB_1"), (two, "JB_2")):
            stored = _messages(api, job_id)
            assert stored[: len(each.accepted)] == each.accepted
            assert len(stored) - len(each.accepted) <= 1, "at most the one that was under way is there unpromised"


def test_a_signal_ends_an_idle_service_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "said") as service:
        assert _end(service, SIGINT) < LIMIT_S
        assert service.process.returncode == 0
        assert (tmp_path / "said").read_text().count("Traceback") == 0


def test_a_second_signal_does_no_harm(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "said") as service:
        service.process.send_signal(SIGTERM)
        assert _end(service, SIGINT) < LIMIT_S
        assert "Traceback" not in (tmp_path / "said").read_text()
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
