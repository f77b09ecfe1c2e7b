"""The spool's SQLite file: made, opened, mended and guarded, so that no connection is ever shared across a fork.

It knows nothing of what its rows mean.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from jobtail.outbox.file_locks import FileLock
from jobtail.process.fork_hooks import renew_after_fork

NAME = "spool.db"
VERSION = 1
PAGE_BYTES = 16 << 10
"""A row is a batch of some hundred kilobytes, and the file is synced every 1,000 pages."""
BUSY_S = 5.0
FORK_PATIENCE_S = 2.0
"""How long a fork waits for another thread's transaction."""
_SIDES = ("", "-wal", "-shm")
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS batches (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        url TEXT NOT NULL,
        writer_id TEXT NOT NULL,
        first_n INTEGER NOT NULL,
        last_n INTEGER NOT NULL,
        events INTEGER NOT NULL,
        dropped INTEGER NOT NULL DEFAULT 0,
        size INTEGER NOT NULL,
        sending INTEGER NOT NULL DEFAULT 0,
        given_up INTEGER NOT NULL DEFAULT 0,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS batches_by_writer ON batches (url, writer_id, id)",
    # Those that can be given up next; 1 is `sending` while a row is in flight.
    "CREATE INDEX IF NOT EXISTS whole_batches ON batches (id) WHERE given_up = 0 AND sending <> 1",
    # The sum of all sizes is kept, not added up at every append.
    "CREATE TABLE IF NOT EXISTS held (bytes INTEGER NOT NULL)",
    "INSERT INTO held SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM held)",
    """
    CREATE TRIGGER IF NOT EXISTS batch_added AFTER INSERT ON batches
    BEGIN UPDATE held SET bytes = bytes + NEW.size; END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS batch_removed AFTER DELETE ON batches
    BEGIN UPDATE held SET bytes = bytes - OLD.size; END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS batch_changed AFTER UPDATE OF size ON batches
    BEGIN UPDATE held SET bytes = bytes + NEW.size - OLD.size; END
    """,
    f"PRAGMA user_version = {VERSION}",
)

log = logging.getLogger("jobtail")


class SpoolUnavailable(Exception):
    """The spool can't be read or written now; the message says why."""


class SpoolFile:
    """One SQLite file that any number of processes and threads share; one connection a process, one user at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / NAME
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode: os.stat_result | None = None
        self._depth = 0
        self._is_spoilt = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock for a few statements, all or nothing.

        Raises:
            SpoolUnavailable: nothing was changed.
        """
        with self._lock:
            self._depth += 1
            try:
                yield from self._in_transaction()
            except (sqlite3.Error, OSError) as error:
                self._give_back(error)
                raise SpoolUnavailable(f"the spool {self.path} can't be used: {error}") from error
            finally:
                self._depth -= 1

    def close(self) -> None:
        with self._lock:
            self._drop_connection()

    def _in_transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        if self._is_spoilt:
            raise SpoolUnavailable("this process was forked while the spool was in use: only its parent can use it")
        if self._connection is not None and not self._is_in_place():
            self._drop_connection()
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _is_in_place(self) -> bool:
        """Whether the file is still the one that was opened: another process may have moved it aside."""
        try:
            return self._inode is not None and os.path.samestat(self.path.stat(), self._inode)
        except OSError:
            return False

    def _open(self) -> sqlite3.Connection:
        renew_after_fork(self)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self._inode = self.path.stat()
        _keep_private(self.directory, self.path)
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, error: Exception) -> None:
        """Start anew after a failure; a file that is broken for good makes room for a new one.

        Where the disk is full the connection stays: what is there can be read by it, and a new one would need room for
        files of its own.
        """
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return
        self._drop_connection()
        if code in _BROKEN:
            with suppress(OSError):
                self._move_aside(error)

    def _move_aside(self, error: Exception) -> None:
        lock = FileLock.take(self.directory / "mending.lock")
        if lock is None:
            return  # another process is at it
        try:
            if self._is_in_place():
                aside = f"{self.path}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}"
                for side in _SIDES:
                    with suppress(FileNotFoundError):
                        os.replace(f"{self.path}{side}", f"{aside}{side}")  # noqa: PTH105 - texts, not paths
                log.warning(
                    "the spool %s is broken (%s); it was moved to %s, a new one begins", self.path, error, aside
                )
        finally:
            lock.release()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def hold(self, timeout_s: float) -> bool:
        # SQLite remembers in the process which locks it holds on a file. A child would inherit that memory without
        # the locks, so that even a connection of its own could not be trusted: none may be open at a fork.
        if not self._lock.acquire(timeout=max(timeout_s, FORK_PATIENCE_S)):
            log.warning("a fork did not wait for the spool any longer; the child can't use it")
            return False
        if not self._depth:
            self._drop_connection()
        return True

    def release(self) -> None:
        self._lock.release()

    def renew_locks(self) -> None:
        self._lock = RLock()
        self._depth = 0

    def renew(self) -> None:
        if self._connection is not None:
            self._is_spoilt = True
            _never_closed.append(self._connection)
            self._connection = None


_never_closed: list[sqlite3.Connection] = []


def _keep_private(directory: Path, path: Path) -> None:
    """Let no other account read what waits, or put lines among it.

    Raises:
        PermissionError: if the directory or the file is somebody else's.
    """
    if not hasattr(os, "getuid"):
        return
    user, file = os.getuid(), path.lstat()
    # Root may be given a directory of any account, and anybody one that root has made for them.
    if user and directory.stat().st_uid not in {0, user}:
        raise PermissionError(f"{directory} belongs to another account")
    if not stat.S_ISREG(file.st_mode) or file.st_uid != user:
        raise PermissionError(f"{path} belongs to another account")
    if stat.S_IMODE(file.st_mode) & 0o077:
        path.chmod(0o600)


def _prepare(connection: sqlite3.Connection) -> None:
    """Set the connection up, and make the tables where there are none.

    Raises:
        SpoolUnavailable: if a later version made the file.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise SpoolUnavailable("the spool was made by a later version of jobtail: update this process")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 4194304")
    if found == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
