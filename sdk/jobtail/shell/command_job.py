"""The command as a job: its start, each line of its output, and its end. None of it can keep the command from running."""

from __future__ import annotations

import getpass
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobtail import client
from jobtail.current import EXECUTION_ID, JOB_ID
from jobtail.events import JobStatus, Line, LogLevel
from jobtail.job.session import job as open_job
from jobtail.jsonable import shown
from jobtail.masking.masker import StreamMasker, masker
from jobtail.outbox.state_directory import state_directory
from jobtail.output.line_splitter import LineSplitter
from jobtail.shell.capture_pipe import Loss, Piece
from jobtail.shell.exits import say

FIRST_ANSWER_S = 0.75
"""How long the end of the command waits for a service that has not answered yet."""
NEXT_ANSWER_S = 5.0
"""And for each further answer of one that has."""
LEAVE_S = 30.0
"""And altogether: what is not sent by then is on disk."""
SLOWEST_BYTES_A_SECOND = 2 << 20
"""Of a long line that is on its way."""
LOOK_EVERY_S = 0.25

MOST_LINES = 20_000
MOST_CHARACTERS = 8_000_000
"""So many are handed to the writer before it is waited for."""
STUCK_S = 10.0
"""A writer that passes nothing on for so long is not waited for: it gives up lines, and says so in the log."""
SLOWEST_CHARACTERS_A_SECOND = 500_000
"""A long line is given more time, since it takes some to be searched for secrets."""
ROOM_LOOK_S = 0.005


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

    @property
    def name(self) -> str:
        return Path(self.command[0]).name or "command"

    def identified(self) -> CommandJob:
        """Give the job an id, and its place among the jobs around it."""
        job_id = self.job_id or _new_job_id(self.name)
        execution_id = self.execution_id or (job_id if self.schedule_id else os.environ.get(EXECUTION_ID))
        parent_job_id = self.parent_job_id or os.environ.get(JOB_ID)
        return replace(self, job_id=job_id, execution_id=execution_id or None, parent_job_id=parent_job_id or None)

    def environment(self, url: str) -> dict[str, str]:
        """Name the job and the service to whatever the command starts in turn."""
        assert self.job_id is not None, "it is identified first"
        names = {JOB_ID: self.job_id, client.URL: url}
        if self.execution_id:
            names[EXECUTION_ID] = self.execution_id
        return {**os.environ, **names}


class CommandCapture:
    """The job of a running command."""

    def __init__(self, job: CommandJob, url: str, token: str | None, is_hurried: Callable[[], bool]) -> None:
        quieten()
        self._is_hurried = is_hurried
        self._url = url
        self._stage = job.stage
        self._voices: dict[str, _Voice] = {}
        self._room = _Room(is_hurried)
        self._directory = spool_directory()
        try:
            client.configure(url, token, spool_dir=self._directory, flush_s=0)  # `leave` waits
        except Exception as error:  # noqa: BLE001 - the command runs whatever becomes of its capture
            say(f"the output is not captured: {shown(error)}")
        self._job = open_job(
            job.job_id,
            handler_name=job.handler_name or job.name,
            source=job.source,
            execution_id=job.execution_id,
            schedule_id=job.schedule_id,
            parent_job_id=job.parent_job_id,
            metadata={"command": list(job.command), **_surroundings()},
        )
        self._job.start()

    def take(self, piece: Piece) -> None:
        """Make lines of a piece of output."""
        voice = self._voice(piece.stream)
        self._say(voice, voice.splitter.feed(piece.data), piece.at)

    def note_loss(self, loss: Loss) -> None:
        """Say in the log what of the output is not there."""
        voice = self._voice(loss.stream)
        self._say(voice, voice.splitter.flush(), loss.at)
        message = (
            f"{loss.byte_count} bytes of output with {loss.line_ends} line ends dropped: "
            "the command printed faster than they could be captured"
        )
        self._job.say(
            message, LogLevel.WARNING, {**voice.metadata, "dropped_bytes": loss.byte_count}, stage=self._stage
        )

    def finish(self, error: str | None) -> None:
        """End the job: by what went wrong, or well."""
        for voice in self._voices.values():
            self._say(voice, voice.splitter.flush(), time.time())
        self._job.finish(JobStatus.COMPLETED if error is None else JobStatus.FAILED, error=error)

    def leave(self) -> None:
        """Send what waits or keep it on disk, and tell the user what could not be sent."""
        _send_rest(self._is_hurried)
        stats = client.close()
        if stats.spooled:
            is_taking = stats.sent or stats.adopted
            reason = (
                f"{self._url} is still taking what came before" if is_taking else f"{self._url} has not answered yet"
            )
            say(
                f"{stats.spooled} {'event waits' if stats.spooled == 1 else 'events wait'} in {self._directory} "
                f"and will be sent by the next jobtail run: {stats.last_error or reason}"
            )
        lost = stats.dropped + stats.waiting
        if lost:
            say(
                f"{lost} {'event was' if lost == 1 else 'events were'} lost: {stats.last_error or 'they could not be kept'}"
            )

    def _voice(self, stream: str) -> _Voice:
        return self._voices.setdefault(stream, _Voice({"stream": stream}))

    def _say(self, voice: _Voice, lines: list[str], at: float) -> None:
        writer, job_id, moment = client.writer(), self._job.job_id, datetime.fromtimestamp(at, UTC)
        for line in lines:
            message = voice.keys.key_masked(line)
            writer.capture(Line(job_id=job_id, message=message, stage=self._stage, at=moment, metadata=voice.metadata))
        self._room.take(lines)


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one stream says."""

    metadata: dict[str, str]
    splitter: LineSplitter = field(default_factory=LineSplitter)
    keys: StreamMasker = field(default_factory=masker.stream)


class _Room:
    """Room in the writer. Lines wait as bytes while there is none, which take far less."""

    def __init__(self, is_hurried: Callable[[], bool]) -> None:
        self._lines = self._characters = 0
        self._is_hurried = is_hurried

    def take(self, lines: list[str]) -> None:
        """Count lines, and after a good many wait until the writer has passed most of them on."""
        self._lines += len(lines)
        self._characters += sum(map(len, lines))
        if self._lines > MOST_LINES or self._characters > MOST_CHARACTERS:
            most = 0 if self._characters > MOST_CHARACTERS else MOST_LINES // 2
            self._wait(most, STUCK_S + self._characters / SLOWEST_CHARACTERS_A_SECOND)
            self._lines = self._characters = 0

    def _wait(self, most: int, patience_s: float) -> None:
        """Wait for as long as the writer gets on."""
        fewest, until = math.inf, 0.0
        while (waiting := client.stats().waiting) > most and not self._is_hurried():
            if waiting < fewest:
                fewest, until = waiting, time.monotonic() + patience_s
            elif time.monotonic() > until:
                return
            time.sleep(ROOM_LOOK_S)


def _send_rest(is_hurried: Callable[[], bool]) -> None:
    """Wait for as long as the service goes on taking what waits, and nobody hurries us."""
    started = asked = time.monotonic()
    patient_until, sent = started + FIRST_ANSWER_S, 0
    while not client.flush(LOOK_EVERY_S):
        now = time.monotonic()
        is_hopeless = now - asked < LOOK_EVERY_S
        # A long line takes the service its time; each next run would send it again and not wait for the answer either.
        patient_until = max(patient_until, started + client.posting_bytes() / SLOWEST_BYTES_A_SECOND)
        stats = client.stats()
        if (now_sent := stats.sent + stats.adopted) > sent:
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


def spool_directory() -> Path | None:
    """Find where lines wait while the service is away. None where nothing can be written."""
    named = os.environ.get(client.SPOOL_DIR)
    try:
        return Path(named).absolute() if named else state_directory()
    except OSError:
        return None


def quieten() -> None:
    """Keep the writer's own warnings off the command's stderr; `leave` says what there is to say."""
    log = logging.getLogger("jobtail")
    log.addHandler(logging.NullHandler())
    log.propagate = False
