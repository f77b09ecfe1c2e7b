"""Every suite here runs against the adapters in memory and against those of Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from domain.access import TokenStore
from domain.ports import ExecutionStore, JobStore, LogMessages, LogTimes, NewestLogStore, TaskStore
from domain.retention import LogPruner
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_messages import PostgresLogMessages
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.log_times import PostgresLogTimes
from persistence.stores.newest_store import PostgresNewestLogStore
from persistence.stores.task_store import PostgresTaskStore
from persistence.stores.token_store import PostgresTokenStore
from persistence.upkeep.pruning import PostgresLogPruner
from tests.fakes import (
    LogStore,
    Memory,
    MemoryExecutionStore,
    MemoryJobStore,
    MemoryLogMessages,
    MemoryLogPruner,
    MemoryLogStore,
    MemoryLogTimes,
    MemoryNewestLogStore,
    MemoryTaskStore,
    MemoryTokenStore,
)


@dataclass(frozen=True, slots=True)
class Stores:
    jobs: JobStore
    tasks: TaskStore
    logs: LogStore
    executions: ExecutionStore
    times: LogTimes
    messages: LogMessages
    newest: NewestLogStore
    tokens: TokenStore
    pruner: LogPruner


@pytest.fixture(params=["memory", "postgres"])
def storage_url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def stores(storage_url: str | None) -> AsyncIterator[Stores]:
    if storage_url is None:
        memory = Memory()
        yield Stores(
            MemoryJobStore(memory),
            MemoryTaskStore(memory),
            MemoryLogStore(memory),
            MemoryExecutionStore(memory),
            MemoryLogTimes(memory),
            MemoryLogMessages(memory),
            MemoryNewestLogStore(memory),
            MemoryTokenStore(memory),
            MemoryLogPruner(memory),
        )
        return
    async with Database(storage_url) as database:
        yield Stores(
            PostgresJobStore(database),
            PostgresTaskStore(database),
            PostgresLogStore(database),
            PostgresExecutionStore(database),
            PostgresLogTimes(database),
            PostgresLogMessages(database),
            PostgresNewestLogStore(database),
            PostgresTokenStore(database),
            PostgresLogPruner(database, pause_s=0.0),
        )
