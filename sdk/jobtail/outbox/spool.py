"""The spool of unsent batches on disk: whole, in order, shared by the processes of a directory, bounded in bytes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from jobtail.outbox.address import base_url
from jobtail.outbox.eviction import make_room, row_size
from jobtail.outbox.file_locks import FileLock
from jobtail.outbox.spool_file import SpoolFile, SpoolUnavailable

__all__ = ["EncodedBatch", "Spool", "SpoolUnavailable", "StoredBatch"]

DEFAULT_MAX_BYTES = 256 << 20
MOST_ADOPTED = 16
"""How many dead writers' rows a process takes over at a time."""
MOST_JOINED = 200
LOCK_PATIENCE_S = 0.5
VACUUM_PAGES = 4096

_SENDING, _TRIED, _ASIDE = 1, 2, 3
"""`sending`; 0: it was never sent. When it was, nobody knows whether it is stored. 3: another process may try it once more."""
_READ = (
    "SELECT id, events, dropped, body FROM batches WHERE url = ? AND writer_id = ? AND id BETWEEN ? AND ? AND sending <> 3 "
    "ORDER BY id"
)
_MARK = "UPDATE batches SET sending = ? WHERE url = ? AND writer_id = ? AND id BETWEEN ? AND ? AND sending <> 3"


class EncodedBatch(NamedTuple):
    """A batch in the form in which it is sent."""

    writer_id: UUID
    first_n: int
    last_n: int
    events: int
    body: bytes


class StoredBatch(NamedTuple):
    """A batch that lies in the spool."""

    id: int
    events: int
    dropped: int
    """Events of it that another process gave up."""
    body: bytes


class SpooledEvents(NamedTuple):
    ids: list[int]
    dropped: int
    """Events of the writer that were given up to make room."""
    has_given_up: bool


class Spool:
    """Rows of one service's URL; those of another are left alone. Any thread may use it."""

    def __init__(self, directory: str | os.PathLike[str], url: str, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Make a spool; files are made with the first append.

        Args:
            directory: is made if need be, for its owner alone.
            url: of the service that the rows are meant for.
            max_bytes: of all rows of the directory.
        """
        self.directory = Path(directory)
        self._url = base_url(url)
        self.max_bytes = max_bytes
        self._file = SpoolFile(self.directory)
        self._locks: dict[UUID, FileLock] = {}
        self._adopted: set[UUID] = set()
        """Dead writers whose rows this process has taken over, those that others had set aside among them."""

    def append(self, batches: Sequence[EncodedBatch], *, is_first_sending: bool = False) -> SpooledEvents:
        """Keep batches of one writer, in order. To make room the oldest batches of the directory give up their lines.

        Raises:
            SpoolUnavailable: none of them is kept.
        """
        writer_id = batches[0].writer_id
        self._hold(writer_id, patience_s=LOCK_PATIENCE_S)
        with self._file.transaction() as connection:
            ids = [self._insert(connection, encoded) for encoded in batches]
            if is_first_sending:
                connection.execute("UPDATE batches SET sending = ? WHERE id = ?", (_SENDING, ids[0]))
            dropped = make_room(connection, str(writer_id), self.max_bytes)
        return SpooledEvents(ids, dropped or 0, dropped is not None)

    def head(self, writer_id: UUID, *, after_id: int = 0, max_bytes: int) -> list[StoredBatch]:
        """Take the writer's oldest rows to send them: one, or as many as stay within `max_bytes` together.

        Raises:
            SpoolUnavailable: if it can't be read.
        """
        with self._file.transaction() as connection:
            ids = self._head_ids(connection, writer_id, after_id, max_bytes)
            if not ids:
                return []
            span = (self._url, str(writer_id), ids[0], ids[-1])
            found = connection.execute(_READ, span).fetchall()
        with suppress(SpoolUnavailable):  # a disk that is full can still be read
            self._mark(writer_id, ids[0], ids[-1], _SENDING)
        return [StoredBatch(row_id, events, dropped, body) for row_id, events, dropped, body in found]

    def put_back(self, writer_id: UUID, first_id: int, last_id: int) -> None:
        """Say that rows were sent and may or may not be stored."""
        with suppress(SpoolUnavailable):
            self._mark(writer_id, first_id, last_id, _TRIED)

    def replace(self, row_id: int, body: bytes, events: int) -> None:
        """Change what a row holds."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE batches SET body = ?, size = ?, events = ? WHERE id = ?", (body, row_size(body), events, row_id)
            )

    def remove(self, writer_id: UUID, last_id: int) -> None:
        """Forget the writer's rows up to one; they are stored.

        Raises:
            SpoolUnavailable: if they are still there.
        """
        with self._file.transaction() as connection:
            connection.execute(
                "DELETE FROM batches WHERE url = ? AND writer_id = ? AND id <= ? AND sending <> 3",
                (self._url, str(writer_id), last_id),
            )

    def set_aside(self, row_id: int, body: bytes, events: int) -> None:
        """Leave of a row what this process may not send, for another one, and send it no more here.

        Raises:
            SpoolUnavailable: if it is still there as it was.
        """
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE batches SET body = ?, size = ?, events = ?, dropped = 0, sending = ? WHERE id = ?",
                (body, row_size(body), events, _ASIDE, row_id),
            )

    def adopt(self) -> list[UUID]:
        """Take over what dead processes left, oldest first, and clear away their lock files.

        Raises:
            SpoolUnavailable: if it can't be read.
        """
        if not self._file.path.exists():
            return []
        # Without the rows that are aside, if this process has tried them already.
        adopted = [writer_id for writer_id in self._writers() if self._adopt(writer_id)]
        self._clear_locks()
        return adopted

    def waiting(self) -> dict[str, int]:
        """Count the events that lie here, by the URL of the service that they are meant for.

        Raises:
            SpoolUnavailable: if it can't be read.
        """
        if not self._file.path.exists():
            return {}
        with self._file.transaction() as connection:
            return dict(connection.execute("SELECT url, sum(events) FROM batches GROUP BY url ORDER BY url"))

    def release(self, writer_id: UUID) -> None:
        """Let another process send what is left of a writer, if anything is."""
        lock = self._locks.pop(writer_id, None)
        if lock is not None:
            lock.release()

    def rest(self) -> None:
        """Give free pages back to the disk and close the file; it is opened again when it is needed."""
        with suppress(SpoolUnavailable):
            if self._file.path.exists():
                with self._file.transaction() as connection:
                    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
        self._file.close()

    def renew(self) -> None:
        """Leave in a forked child all locks with the parent."""
        for lock in self._locks.values():
            lock.forget()
        self._locks = {}

    def close(self) -> None:
        for writer_id in list(self._locks):
            self.release(writer_id)
        self._file.close()

    def _hold(self, writer_id: UUID, *, patience_s: float = 0.0) -> None:
        """Take the writer's lock. Its own process may have to wait for one that looks whether it is alive."""
        if writer_id in self._locks:
            return
        deadline = time.monotonic() + patience_s
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            while (lock := FileLock.take(self.directory / f"{writer_id}.lock")) is None and time.monotonic() < deadline:
                time.sleep(0.005)
        except OSError as error:
            raise SpoolUnavailable(f"the spool in {self.directory} can't be used: {error}") from error
        if lock is None:
            raise SpoolUnavailable(f"another process sends the rows of writer {writer_id}")
        self._locks[writer_id] = lock

    def _insert(self, connection: sqlite3.Connection, encoded: EncodedBatch) -> int:
        row = (
            self._url,
            str(encoded.writer_id),
            encoded.first_n,
            encoded.last_n,
            encoded.events,
            row_size(encoded.body),
            encoded.body,
        )
        cursor = connection.execute(
            "INSERT INTO batches (url, writer_id, first_n, last_n, events, size, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _mark(self, writer_id: UUID, first_id: int, last_id: int, sending: int) -> None:
        with self._file.transaction() as connection:
            connection.execute(_MARK, (sending, self._url, str(writer_id), first_id, last_id))

    def _head_ids(self, connection: sqlite3.Connection, writer_id: UUID, after_id: int, max_bytes: int) -> list[int]:
        ids: list[int] = []
        total = 0
        rows = connection.execute(
            "SELECT id, size FROM batches WHERE url = ? AND writer_id = ? AND id > ? AND sending <> 3 "
            "ORDER BY id LIMIT ?",
            (self._url, str(writer_id), after_id, MOST_JOINED),
        ).fetchall()
        for row_id, size in rows:
            total += size
            if ids and total > max_bytes:
                break
            ids.append(row_id)
        return ids

    def _writers(self) -> list[UUID]:
        with self._file.transaction() as connection:
            found = connection.execute(
                "SELECT writer_id, max(sending <> 3) FROM batches WHERE url = ? GROUP BY writer_id ORDER BY min(id)",
                (self._url,),
            ).fetchall()
        writers = [(UUID(writer_id), has_others) for writer_id, has_others in found]
        return [writer_id for writer_id, has_others in writers if has_others or writer_id not in self._adopted]

    def _adopt(self, writer_id: UUID) -> bool:
        if writer_id in self._locks or len(self._locks) > MOST_ADOPTED:
            return False
        try:
            self._hold(writer_id)
        except SpoolUnavailable:
            return False
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE batches SET sending = ? WHERE url = ? AND writer_id = ? AND sending IN (?, ?)",
                (_TRIED, self._url, str(writer_id), _SENDING, _SENDING if writer_id in self._adopted else _ASIDE),
            )
        self._adopted.add(writer_id)
        return True

    def _clear_locks(self) -> None:
        """Remove the lock files of writers that died with nothing in the spool. Those of another URL come along."""
        held = {lock.path for lock in self._locks.values()}
        for path in self.directory.glob("*.lock"):
            if path in held:
                continue
            with suppress(OSError):
                lock = FileLock.take(path)
                if lock is not None:
                    lock.release()
