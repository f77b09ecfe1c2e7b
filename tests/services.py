"""The services of one process over a database, for tests that need no more of an application."""

from __future__ import annotations

from domain.analysis.message_profiles import MessageProfiles
from domain.analysis.timelines import Timelines
from domain.live.job_feed import JobFeed
from domain.live.tail_hub import TailHub
from domain.recorder import Recorder
from graph.context import Services
from persistence.database import Database
from persistence.stores.execution_store import PostgresExecutionStore
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_messages import PostgresLogMessages
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.log_times import PostgresLogTimes
from persistence.stores.newest_store import PostgresNewestLogStore
from persistence.stores.task_store import PostgresTaskStore
from persistence.upkeep.pruning import PostgresLogPruner
from persistence.upkeep.storage import PostgresStorage
from tests.fakes import MemoryChannel


def services_over(database: Database) -> Services:
    logs, jobs, times = PostgresLogStore(database), PostgresJobStore(database), PostgresLogTimes(database)
    return Services(
        jobs=jobs,
        tasks=PostgresTaskStore(database),
        logs=logs,
        executions=PostgresExecutionStore(database),
        timelines=Timelines(times),
        profiles=MessageProfiles(times, PostgresLogMessages(database)),
        newest=PostgresNewestLogStore(database),
        pruner=PostgresLogPruner(database),
        storage=PostgresStorage(database),
        recorder=Recorder(logs, MemoryChannel()),
        hub=TailHub(logs, jobs),
        feed=JobFeed(jobs),
    )
