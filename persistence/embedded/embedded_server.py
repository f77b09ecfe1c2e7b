"""The embedded PostgreSQL: a server on a data directory, whose owner starts, watches and ends it.

It knows nothing of tables. POSIX only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from persistence.embedded.binaries import Binaries
from persistence.embedded.cluster import Cluster, initdb_options
from persistence.embedded.directory_lock import sole_owner
from persistence.embedded.orphans import end_orphans
from persistence.embedded.private_directory import PrivateDirectory
from persistence.embedded.server_account import Account, reachable, server_account
from persistence.embedded.server_log import ServerLog
from persistence.embedded.server_process import ServerProcess, ending
from persistence.embedded.start_errors import (
    DataDirectoryInUse,
    EmbeddedPostgresError,
    NoAccount,
    NoBinaries,
    OtherMajorVersion,
    StartFailed,
    UnusableDirectory,
)

__all__ = [
    "DataDirectoryInUse",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NoAccount",
    "NoBinaries",
    "OtherMajorVersion",
    "StartFailed",
    "UnusableDirectory",
]

_PORT = 5432
"""Names the socket file only: the server listens on no network."""
_LOG_LOOK_S = 60.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
"""A server that does not come back is tried again for ever: a disk that was full for a night has room in the morning."""
_STEADY_AFTER_S = 60.0
"""A server that ran this long has ended the row of failures."""
_POLL_S = 0.005

_SETTINGS: Mapping[str, str] = {
    "autovacuum_naptime": "15s",  # jobs' rows are updated by every batch
    "log_checkpoints": "off",  # the log stays small
    "log_min_error_statement": "panic",  # a failed statement may hold somebody's lines
    "log_timezone": "UTC",
    "max_connections": "100",
    "max_wal_size": "2GB",  # fewer checkpoints while lines pour in
    "shared_buffers": "128MB",
    "synchronous_commit": "on",  # an accepted line is a stored line
    "timezone": "UTC",
}

_logger = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL of one's own: runs while the context is open, and is started again when it dies.

    The cluster lies in `directory`/postgres; its socket too, which only the server's account and root can reach.
    As root the server runs as the cluster's owner, which is `nobody` for a new one. `settings` go over the defaults.

    Raises:
        EmbeddedPostgresError: on entering, when the server cannot be started.
    """

    def __init__(
        self, directory: Path, *, start_timeout_s: float = 30.0, settings: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory.absolute()
        self._start_timeout_s = start_timeout_s
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cluster = Cluster(self.directory / "postgres")
        self._log = ServerLog(self.directory / "postgres.log")
        self._private_record = self.directory / "postgres.tmp"
        self._socket_directory = self._cluster.path
        self._stack = contextlib.AsyncExitStack()
        self._binaries: Binaries
        self._account: Account | None = None
        self._server: ServerProcess | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def has_data(self) -> bool:
        """Whether a cluster has been made here, of whatever version."""
        return bool(self._cluster.version)

    @property
    def needs_restart(self) -> str | None:
        """Why nothing but a new owner brings the server back; None while it runs, or while trying again can help."""
        if self._watching is None:
            return None
        if self._watching.done():
            return "nothing watches over the embedded PostgreSQL any more"
        if not self._cluster.version:
            return "the data of the embedded PostgreSQL has gone"
        if not (self._binaries.directory / "postgres").exists():
            return "the binaries of the embedded PostgreSQL have gone"
        return None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the maintenance database. Known once the context is entered, and stays the same."""
        query = {"host": str(self._socket_directory), "port": str(_PORT)}
        url = URL.create("postgresql+asyncpg", username="jobtail", database="postgres", query=query)
        return url.render_as_string(hide_password=False)

    @property
    def running_url(self) -> str:
        """The URL of the server that another process runs on this directory."""
        alias = PrivateDirectory(self._private_record, None).alias
        self._socket_directory = alias or self._cluster.path
        return self.url

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._prepare(stack)
            stack.push_async_callback(self._stop)
            if not self._cluster.version:
                await self._make_cluster()
            await self._start()
            self._watching = asyncio.create_task(self._watch(), name="embedded-postgres")
            stack.push_async_callback(self._stop_watching, self._watching)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _prepare(self, stack: contextlib.AsyncExitStack) -> None:
        """Take hold of the directory, and find out with what and as whom the server runs."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(sole_owner(self.directory))
            self._log.bound()
            self._log.begin()
            self._binaries = Binaries.find()
            self._cluster.check(self._binaries.major_version)
            self._account = server_account(self._cluster.path)
            private = PrivateDirectory(self._private_record, self._account)
            stack.callback(private.remove)
            private.remove()
            if self._account and not self._account.can_enter(self._binaries.directory):
                self._binaries = self._binaries.copied_to(private.path())
            self._socket_directory = private.short_alias(self._cluster.path, f".s.PGSQL.{_PORT}")
        except OSError as error:
            raise UnusableDirectory(self.directory, str(error)) from error

    async def _make_cluster(self) -> None:
        new = await asyncio.to_thread(self._cluster.new_directory)
        if self._account:
            os.chown(new, self._account.uid, self._account.gid)
        no_sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        self._server = await self._launch("initdb", new, *initdb_options(self._binaries.major_version), *no_sync)
        try:
            code = await asyncio.wait_for(self._server.process.wait(), self._start_timeout_s)
        except TimeoutError:
            raise self._failure(f"initdb took more than {self._start_timeout_s:g} s") from None
        if code != 0:
            raise self._failure(f"initdb ended with {ending(code)}")
        self._server.close()
        self._cluster.adopt(new)

    async def _start(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        if orphans := await end_orphans(self._cluster.path, self._start_timeout_s):
            raise self._failure(f"processes {orphans} of an earlier server do not end")
        while reason := await self._try_start(deadline):
            failure = self._failure(reason)
            await self._stop()
            # What is left of a server that was killed holds its shared memory for another moment.
            leftover = any("still in use" in line or "already exists" in line for line in failure.log_lines[-4:])
            if not leftover or time.monotonic() > deadline:
                raise failure
            await asyncio.sleep(0.1)

    async def _try_start(self, deadline: float) -> str | None:
        """Start the server and wait until it takes connections; what went wrong otherwise."""
        before = self._cluster.state
        settings = {"listen_addresses": "", "unix_socket_directories": ".", "unix_socket_permissions": "0700"}
        settings |= {"port": str(_PORT), **self._settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server = await self._launch("postgres", self._cluster.path, *options)
        while time.monotonic() < deadline:
            if self._server.process.returncode is not None:
                return f"it ended with {ending(self._server.process.returncode)}"
            state = self._cluster.state
            if state != before and state.splitlines()[7:8] == ["ready   "]:
                return None
            await asyncio.sleep(_POLL_S)
            if time.monotonic() >= deadline and self._log.tells_of_progress():
                deadline = time.monotonic() + self._start_timeout_s  # to end it would begin its recovery again
        return f"it was not ready after {self._start_timeout_s:g} s"

    async def _launch(self, program: str, data: Path, *options: str) -> ServerProcess:
        self._log.begin()
        with reachable(data, self._account) as (name, descriptors), self._log.path.open("ab") as log:
            command = [str(self._binaries.directory / program), "-D", name, *options]
            return await ServerProcess.start(command, self._account, log.fileno(), descriptors)

    async def _watch(self) -> None:
        """Start the server again whenever it ends by itself, for as long as we own it."""
        failures = 0
        while True:
            began = time.monotonic()
            code = await self._ended()
            failures = 0 if time.monotonic() - began > _STEADY_AFTER_S else failures
            _logger.error(
                "the embedded PostgreSQL in %s ended by itself with %s; starting it again", self.directory, ending(code)
            )
            failures = await self._start_again(failures)

    async def _start_again(self, failures: int) -> int:
        """Try with growing pauses until the server runs; how many failures in a row that makes, its end included."""
        while True:
            await asyncio.sleep(_pause_s(failures))
            failures += 1
            try:
                await self._start()
            except (EmbeddedPostgresError, OSError) as error:
                await self._stop()
                if failures.bit_count() == 1:  # at 1, 2, 4, 8 ...: an hour of a full disk is some ten warnings
                    _logger.warning("attempt %d, and it is tried again: %s", failures, error)
            else:
                _logger.warning("the embedded PostgreSQL in %s is back", self.directory)
                return failures

    async def _ended(self) -> int:
        assert self._server is not None
        while True:
            try:
                code = await asyncio.wait_for(self._server.process.wait(), _LOG_LOOK_S)
            except TimeoutError:
                self._log.bound()
            else:
                self._server.close()
                return code

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.end()

    async def _stop_watching(self, watching: asyncio.Task[None]) -> None:
        self._watching = None
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    def _failure(self, reason: str) -> StartFailed:
        return StartFailed(self.directory, reason, self._log.last_lines())


def _pause_s(failures: int) -> float:
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10)) if failures else 0.0
