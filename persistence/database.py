"""One way to Postgres for all stores: a pool, translated errors, and a second try where a pooled connection was dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

import asyncpg
from sqlalchemy import Row, Select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection, QueuePool
from sqlalchemy.sql import CompoundSelect
from sqlalchemy.util import greenlet_spawn

from domain.errors import OutOfTime, Unavailable
from persistence.engine import create_engine
from persistence.errors import DRIVER_ERRORS, translated, translation, was_cancelled
from persistence.prepared_statements import Statement
from persistence.reading_share import ReadingShare
from persistence.statement_names import name_of

Result = TypeVar("Result")
Watch: TypeAlias = Callable[[Callable[[], str]], AbstractContextManager[object]]
"""Is entered around each statement, whose name it may ask for."""

NARROW = "ask for less: by levels, stages, tasks or times, without a totalCount, or search for a plain text"
_LIMIT = "SELECT set_config('statement_timeout', {}, true)"
_IN_ORDER = "SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)"


class Connections(NamedTuple):
    """Of a pool."""

    busy: int
    idle: int
    most: int
    """How many there may be."""


class _Ready:
    """A connection of the pool, with the driver's own, which the pool looks for anew whenever it is asked."""

    __slots__ = ("driver", "pooled")

    def __init__(self, pooled: PoolProxiedConnection) -> None:
        self.pooled = pooled
        self.driver: Any = pooled.driver_connection


class Database:
    """Owns the pool. An async context manager."""

    def __init__(self, url: str, *, pool_size: int = 10, watch: Watch | None = None) -> None:
        self.engine: AsyncEngine = create_engine(url, pool_size=pool_size)
        self._watch = watch
        self._ready: list[_Ready] = []
        self._most_ready = pool_size // 2
        self._reading = ReadingShare(pool_size)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._most_ready = 0
        while self._ready:
            await greenlet_spawn(self._ready.pop().pooled.close)
        await self.engine.dispose()

    @property
    def connections(self) -> Connections:
        """Count the connections of the pool as they are now."""
        pool = cast("QueuePool", self.engine.pool)
        ready = len(self._ready)
        return Connections(busy=pool.checkedout() - ready, idle=pool.checkedin() + ready, most=pool.size())

    @property
    def has_ready(self) -> bool:
        """Whether the next statement on the driver itself need not wait for a connection."""
        return bool(self._ready)

    async def read(
        self,
        query: Select[Any] | CompoundSelect[Any],
        *,
        within_s: float | None = None,
        in_order: bool = False,
        goes_ahead: bool = False,
    ) -> Sequence[Row[Any]]:
        """Run a query and load all of its rows.

        A connection may have died while it lay in the pool, so a read that finds Postgres away is tried once more. One that
        is `in_order` reads tables in the order of their indexes, and stops where it has enough, though Postgres may believe
        that to collect and sort all rows is cheaper. One that `goes_ahead` waits for no other reader.

        Raises:
            OutOfTime: if Postgres, given `within_s`, took longer.
        """

        async def run(connection: AsyncConnection) -> Sequence[Row[Any]]:
            if within_s is not None:
                await connection.execute(text(_LIMIT.format(":limit")), {"limit": _milliseconds(within_s)})
            if in_order:
                await connection.execute(text(_IN_ORDER))
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

        with self._watched(query):
            if goes_ahead:
                return await _twice(lambda: self._connected(run), within_s)
            async with self._reading.taken():
                return await _twice(lambda: self._connected(run), within_s)

    async def fetch(
        self, statement: Statement, values: Mapping[str, Any], *, within_s: float | None = None
    ) -> Sequence[asyncpg.Record]:
        """Run a query on the driver itself, which keeps it prepared, and load all of its rows.

        It is tried once more as `read` is.

        Raises:
            OutOfTime: if Postgres, given `within_s`, took longer.
        """
        arguments = statement.arguments(values)

        async def run(driver: Any) -> Sequence[asyncpg.Record]:
            async with nullcontext() if within_s is None else driver.transaction():
                if within_s is not None:
                    await driver.execute(_LIMIT.format("$1"), _milliseconds(within_s))
                rows: Sequence[asyncpg.Record] = await driver.fetch(statement.text, *arguments)
                return rows

        with self._watched(statement):
            async with self._reading.taken():
                return await _twice(lambda: self.driven(run), within_s)

    async def write(self, statement: Statement, values: Mapping[str, Any]) -> asyncpg.Record | None:
        """Run one statement in a transaction of its own on the driver itself, and return its first row.

        Never tried again here: whether it was committed is not known when the connection dies.
        """
        arguments = statement.arguments(values)

        async def run(driver: Any) -> asyncpg.Record | None:
            row: asyncpg.Record | None = await driver.fetchrow(statement.text, *arguments)
            return row

        with self._watched(statement):
            return await self.driven(run)

    async def ping(self) -> None:
        """Ask Postgres for a sign of life.

        Raises:
            Unavailable: if there is none.
        """

        async def run(connection: AsyncConnection) -> None:
            await connection.exec_driver_sql("SELECT 1")

        try:
            await self._connected(run)
        except Unavailable:
            await self._connected(run)

    def _watched(self, statement: Select[Any] | CompoundSelect[Any] | Statement) -> AbstractContextManager[object]:
        return nullcontext() if self._watch is None else self._watch(partial(name_of, statement))

    async def driven(self, run: Callable[[Any], Awaitable[Result]]) -> Result:
        """Lend the driver's own connection, without the transaction that SQLAlchemy would begin around it. Never tried again.

        To take a connection from the pool and give it back takes longer than most statements, so up to half of them stay
        ready here. One whose statement failed goes back to the pool, which looks after it.
        """
        try:
            ready = self._take_ready() or _Ready(await self.engine.raw_connection())
            is_sound = False
            try:
                result = await run(ready.driver)
                is_sound = True
            finally:
                if is_sound and len(self._ready) < self._most_ready:
                    self._ready.append(ready)
                else:
                    await greenlet_spawn(ready.pooled.close)
        except DRIVER_ERRORS as error:
            raise translation(error) from error
        return result

    def _take_ready(self) -> _Ready | None:
        """Take the connection that was used last; one that the server has closed meanwhile is the pool's to replace."""
        while self._ready:
            ready = self._ready.pop()
            if not ready.driver.is_closed():
                return ready
            ready.pooled.invalidate()
        return None

    async def _connected(self, run: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        pool = cast("QueuePool", self.engine.pool)
        with translated():
            if self._ready and pool.checkedout() >= pool.size():
                await greenlet_spawn(
                    self._ready.pop().pooled.close
                )  # what lies ready is no use to who waits for the pool
            async with self.engine.connect() as connection:
                return await run(connection)


def _milliseconds(seconds: float) -> str:
    return f"{max(round(1000 * seconds), 1)}ms"


async def _twice(run: Callable[[], Awaitable[Result]], within_s: float | None) -> Result:
    try:
        return await run()
    except Unavailable as error:
        if within_s is not None and was_cancelled(error):
            raise OutOfTime(f"this takes longer than {within_s:g} s; {NARROW}") from error
        return await run()
