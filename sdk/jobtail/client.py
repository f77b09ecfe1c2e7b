"""The process's own capture: one writer for all of its jobs, made by `configure` or from the environment.

Without a configuration all of it is silent.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import ParamSpec

from jobtail import current as context
from jobtail.events import Event
from jobtail.jsonable import shown
from jobtail.outbox.state_directory import state_directory
from jobtail.process.exit_hooks import is_ending, on_departure
from jobtail.process.fork_hooks import notice_fork, renew_after_fork
from jobtail.sink import CountingSink, EventWriter, Sink
from jobtail.writer.writer import Writer

URL, TOKEN, SPOOL_DIR = "JOBTAIL_URL", "JOBTAIL_TOKEN", "JOBTAIL_SPOOL_DIR"
SPOOL_BYTES = 256 << 20
FLUSH_S = 5.0
KEEP_S = 10.0
KEEP_STEP_S = 1.0
SLOWEST_BYTES_A_SECOND = 512 << 10

P = ParamSpec("P")

log = logging.getLogger("jobtail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts of this process's events; `captured` is the sum of sent, spooled, waiting and dropped."""

    captured: int = 0
    sent: int = 0
    """The service has stored them."""
    spooled: int = 0
    """On this machine's disk, until the service takes them."""
    dropped: int = 0
    masked: int = 0
    """How many secrets were replaced."""
    waiting: int = 0
    faults: int = 0
    """Emissions that could not be captured for a defect of ours or of the job's objects."""
    last_error: str | None = None
    adopted: int = 0
    """Sent for processes that died before they could; part of no other count."""


class Client:
    """A writer and where it sends. `configure` makes one; tests make one around a sink of their own."""

    def __init__(
        self,
        sink: Sink,
        *,
        mask: Callable[[Event], Event] | None = None,
        masked: Callable[[], int] = lambda: 0,
        flush_s: float = FLUSH_S,
    ) -> None:
        self.writer = Writer(sink, mask=mask, close_timeout_s=flush_s)
        self.flush_s = flush_s
        self._sink = sink
        self._masked = masked

    def flush(self, timeout_s: float) -> bool:
        with context.outside():
            return self.writer.flush(timeout_s)

    def close(self) -> bool:
        """Send what waits for `flush_s`, and keep the rest. Says whether all is stored."""
        with context.outside():
            is_stored = self.writer.flush(self.flush_s)
            self._keep()
            self.writer.close(0)
            return is_stored

    def _keep(self) -> None:
        """Hand over what is still in memory, for as long as that gets on: disks are quick, or full."""
        began = time.monotonic()
        before, waiting = math.inf, self.writer.stats().waiting
        while 0 < waiting < before:
            # A long text takes its time to be searched for secrets and written. What comes behind it is the job's end.
            patience_s = self.writer.in_hand_bytes / SLOWEST_BYTES_A_SECOND
            if time.monotonic() - began > KEEP_S + patience_s:
                break
            self.writer.hand_over(KEEP_STEP_S + patience_s)
            before, waiting = waiting, self.writer.stats().waiting

    def posting_bytes(self) -> int:
        return self._sink.stats().posting_bytes if isinstance(self._sink, CountingSink) else 0

    def stats(self) -> Stats:
        # The sink's books first: what it has taken by then was captured before.
        kept = self._sink.stats() if isinstance(self._sink, CountingSink) else None
        books = self.writer.stats()
        sent, spooled, lost = (books.sent, 0, 0) if kept is None else (kept.sent, kept.spooled, kept.dropped)
        dropped = books.dropped + lost
        return Stats(
            captured=books.captured,
            sent=sent,
            spooled=spooled,
            dropped=dropped,
            masked=self._masked(),
            waiting=books.captured - sent - spooled - dropped,
            faults=books.faults,
            last_error=(kept and kept.last_error) or books.last_error,
            adopted=0 if kept is None else kept.adopted,
        )


class _ProcessWriter:
    """The writer of whatever client is present: jobs that are open outlive a new configuration."""

    __slots__ = ("writer",)

    def __init__(self) -> None:
        self.writer: Writer | None = None

    def capture(self, event: Event) -> None:
        writer = self.writer
        if writer is not None:
            writer.capture(event)

    def report_fault(self, error: Exception) -> None:
        writer = self.writer
        if writer is not None:
            writer.report_fault(error)


class _Process:
    """What there is once in a process, behind a lock that outlives a fork."""

    def __init__(self) -> None:
        self.writer = _ProcessWriter()
        self.client: Client | None = None
        self.has_looked = False
        self.make: Callable[[], Client | None] | None = None
        """What `configure` was asked for; without it the environment says."""
        self._looks = False
        self._lock = RLock()

    def look(self) -> None:
        """Configure from the environment, unless something is configured or was looked for."""
        with self._lock:
            if self.has_looked or self._looks:
                return  # what looking itself logs is in nobody's job
            self._looks = True
            try:
                self._use(self._found())
            finally:
                # Not before: another thread's first job would be lost meanwhile.
                self.has_looked, self._looks = True, False

    def _found(self) -> Client | None:
        try:
            with context.outside():
                client = (self.make or _made)()
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            log.warning("capture is off: %s", shown(error))
            return None
        if client is None:
            log.warning("capture is off: call jobtail.configure(url=...) or set %s", URL)
        return client

    def replace(self, client: Client | None) -> None:
        with self._lock:
            self.has_looked, self.make = client is not None, None
            former = self.client
            if former is not None:
                former.flush(former.flush_s)
            self._use(client)
        if former is not None:
            former.close()

    def leave(self, reason: str) -> None:
        """Send or keep what waits: the process ends."""
        del reason
        notice_fork()
        client = self.client
        if client is not None:
            client.close()
            if is_ending():  # a later exit handler may still begin a job
                self._use(None)
                self.has_looked = False

    def hold(self, timeout_s: float) -> bool:
        return self._lock.acquire(timeout=timeout_s)

    def release(self) -> None:
        self._lock.release()

    def renew_locks(self) -> None:
        self._lock = RLock()

    def renew(self) -> None:
        """Do nothing: the client renews itself."""

    def _use(self, client: Client | None) -> None:
        self.client = client
        self.writer.writer = None if client is None else client.writer
        if client is not None:
            renew_after_fork(self)
            on_departure(self.leave)


_process = _Process()


def configure(
    url: str | None = None,
    token: str | None = None,
    *,
    spool_dir: str | os.PathLike[str] | None = None,
    spool_bytes: int = SPOOL_BYTES,
    flush_s: float = FLUSH_S,
) -> None:
    """Say where captured lines go. An earlier configuration is flushed and replaced.

    Args:
        url: the service's address; without it that of JOBTAIL_URL. Without both, capture is off.
        token: without it that of JOBTAIL_TOKEN.
        spool_dir: where lines wait on disk while the service is away; without it JOBTAIL_SPOOL_DIR, or a directory of
            the user's state.
        spool_bytes: how much may wait there, of all processes that share the directory.
        flush_s: how long the end of the process may take to send what waits.

    Raises:
        ValueError: if `url` is no address of a service.
    """
    make = functools.partial(_made, url, token, spool_dir, spool_bytes, flush_s)
    with context.outside():
        made = make()
    _process.replace(made)
    _process.make = make


def use(client: Client | None) -> None:
    """Put a client in the place of the present one, which is flushed and closed."""
    _process.replace(client)


def writer() -> EventWriter:
    """Give the process's writer: always the same one, which follows a new configuration; silent without any."""
    if not _process.has_looked:
        _process.look()
    return _process.writer


def guarded(hook: Callable[P, None]) -> Callable[P, None]:
    """Keep a fault of ours from whoever calls, the job or its queue, and count it."""

    @functools.wraps(hook)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - no fault of the capture reaches the job
            writer().report_fault(error)

    return safe


def leave_if_ending() -> None:
    """Send or keep what waits if nothing else will: the interpreter ends, and has called our handler, or will not."""
    if is_ending():
        _process.leave("")


def is_on() -> bool:
    """Tell whether what is captured goes anywhere."""
    writer()
    return _process.client is not None


def flush(timeout_s: float = FLUSH_S) -> bool:
    """Wait until what was captured before is stored by the service. Says whether it was, within `timeout_s`."""
    notice_fork()
    client = _process.client
    return client is None or client.flush(timeout_s)


def posting_bytes() -> int:
    """Tell the size of what is on its way to the service right now."""
    client = _process.client
    return 0 if client is None else client.posting_bytes()


def stats() -> Stats:
    """Count what became of all that this process captured."""
    client = _process.client
    return Stats() if client is None else client.stats()


def close() -> Stats:
    """Send or keep what waits, and end the capture. Tells what became of all of it."""
    client = _process.client
    if client is None:
        return Stats()
    client.close()
    return client.stats()


def _made(
    url: str | None = None,
    token: str | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
    spool_bytes: int = SPOOL_BYTES,
    flush_s: float = FLUSH_S,
) -> Client | None:
    url = os.environ.get(URL) if url is None else url
    if not url:
        return None
    token = os.environ.get(TOKEN) if token is None else token
    return _client(url, token or None, _directory(spool_dir), spool_bytes, flush_s)


def _directory(named: str | os.PathLike[str] | None) -> Path | None:
    named = named or os.environ.get(SPOOL_DIR)
    try:
        # Where the job goes later is its own affair: the next process looks for what waits where it was asked for.
        return Path(named).absolute() if named else state_directory().absolute()
    except OSError as error:
        log.warning("capture keeps lines in memory only while the service is away: %s", error)
        return None


def _client(url: str, token: str | None, directory: Path | None, spool_bytes: int, flush_s: float) -> Client:
    # Late: a process that captures nothing needs neither urllib3 nor SQLite.
    from jobtail.masking.masker import masker  # noqa: PLC0415
    from jobtail.outbox.outbox import Outbox  # noqa: PLC0415
    from jobtail.outbox.spool import Spool  # noqa: PLC0415
    from jobtail.outbox.transport import HttpTransport  # noqa: PLC0415

    spool = None if directory is None else Spool(directory, url, spool_bytes)
    outbox = Outbox(HttpTransport(url, token), spool)
    return Client(outbox, mask=masker.event, masked=lambda: masker.count, flush_s=flush_s)
