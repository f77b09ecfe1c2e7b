"""The command as a job: its start, each line of its output, and its end. None of it can keep the command from running."""

from __future__ import annotations

import getpass
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobtail import client
from jobtail.current import EXECUTION_ID, JOB_ID
from jobtail.events import JobStatus
from jobtail.job.session import job as open_job
from jobtail.jsonable import shown
from jobtail.outbox.state_directory import state_directory
from jobtail.output.line_splitter import LineSplitter
from jobtail.shell.exits import say

FIRST_ANSWER_S = 0.75
"""How long the end of the command waits for a service that has not answered yet."""
NEXT_ANSWER_S = 5.0
"""And for each further answer of one that has."""
LEAVE_S = 30.0
"""And altogether: what is not sent by then is on disk."""
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandJob:
    """What job a command is to be."""

    command: Sequence[str]
    job_id: str | None = None
    stage: str | None = None
    handler_name: str | None = None
    source: str = "shell"
    parent_job_id: str | None = None
    execution_id: str | None = None
    schedule_id: str | None = None


class CommandCapture:
    """The job of a running command."""

    def __init__(self, job: CommandJob, url: str, token: str | None) -> None:
        _quieten()
        self._url = url
        self._stage = job.stage
        self._flushes: list[Callable[[], None]] = []
        name = Path(job.command[0]).name or "command"
        job_id = job.job_id or _new_job_id(name)
        execution_id = job.execution_id or (job_id if job.schedule_id else os.environ.get(EXECUTION_ID))
        try:
            client.configure(url, token, flush_s=0)  # `leave` waits
        except Exception as error:  # noqa: BLE001 - the command runs whatever becomes of its capture
            say(f"the output is not captured: {shown(error)}")
        self._job = open_job(
            job_id,
            handler_name=job.handler_name or name,
            source=job.source,
            execution_id=execution_id,
            schedule_id=job.schedule_id,
            parent_job_id=job.parent_job_id or os.environ.get(JOB_ID),
            metadata={"command": list(job.command), **_surroundings()},
        )
        self._job.start()

    @property
    def environment(self) -> dict[str, str]:
        """Name the job and the service to whatever the command starts in turn."""
        names = {JOB_ID: self._job.job_id, client.URL: self._url}
        if self._job.execution_id:
            names[EXECUTION_ID] = self._job.execution_id
        return {**os.environ, **names}

    def of_stream(self, name: str) -> Callable[[bytes], None]:
        """Make what takes the bytes of a stream."""
        splitter, metadata = LineSplitter(), {"stream": name}

        def take(data: bytes) -> None:
            for line in splitter.feed(data):
                self._job.say(line, metadata=metadata, stage=self._stage)

        def flush() -> None:
            for line in splitter.flush():
                self._job.say(line, metadata=metadata, stage=self._stage)

        self._flushes.append(flush)
        return take

    def finish(self, error: str | None) -> None:
        """End the job: by what went wrong, or well."""
        for flush in self._flushes:
            flush()
        self._job.finish(JobStatus.COMPLETED if error is None else JobStatus.FAILED, error=error)

    def leave(self, is_hurried: Callable[[], bool]) -> None:
        """Send what waits, and tell the user what could not be sent."""
        _send_rest(is_hurried)
        stats = client.stats()
        waiting = stats.spooled + stats.waiting
        if waiting:
            say(
                f"{waiting} {'event waits' if waiting == 1 else 'events wait'} in {_spool()} and will be sent by the next "
                f"jobtail run: {stats.last_error or f'{self._url} has not answered yet'}"
            )
        if stats.dropped:
            say(f"{stats.dropped} events were lost: {stats.last_error}")


def _send_rest(is_hurried: Callable[[], bool]) -> None:
    """Wait for as long as the service goes on taking what waits, and nobody hurries us."""
    started = asked = time.monotonic()
    patient_until, sent = started + FIRST_ANSWER_S, 0
    while not client.flush(LOOK_EVERY_S):
        now = time.monotonic()
        is_hopeless = now - asked < LOOK_EVERY_S
        if (now_sent := client.stats().sent) > sent:
            patient_until, sent = now + NEXT_ANSWER_S, now_sent
        if is_hopeless or is_hurried() or now > min(patient_until, started + LEAVE_S):
            return
        asked = time.monotonic()


def _new_job_id(name: str) -> str:
    return f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _surroundings() -> Mapping[str, Any]:
    facts: dict[str, Any] = {"host": socket.gethostname()}
    with suppress(OSError):
        facts["cwd"] = os.getcwd()  # noqa: PTH109 - it may be deleted, and is only named
    with suppress(OSError, KeyError, ImportError):
        facts["user"] = getpass.getuser()
    return facts


def _spool() -> str:
    return os.environ.get(client.SPOOL_DIR) or str(state_directory())


def _quieten() -> None:
    """Keep the writer's own warnings off the command's stderr; `leave` says what there is to say."""
    log = logging.getLogger("jobtail")
    log.addHandler(logging.NullHandler())
    log.propagate = False
