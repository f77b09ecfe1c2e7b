"""The tables as SQLAlchemy knows them. migrations/ makes them; a test holds the two equal."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from domain.access import Scope
from jobtail.events import FINAL_STATUSES, JobStatus, LogLevel, TaskStatus

metadata = MetaData()

LEVEL_COLUMNS = {level: f"count_{level.name.lower()}" for level in LogLevel}


COMMONEST = LogLevel.INFO
"""The level of most lines: no index by level holds it."""

LEVEL_BITS = {level: 1 << place for place, level in enumerate(LogLevel)}


def level_bits(levels: Iterable[LogLevel]) -> int:
    """Make a number with a bit for each of the levels. Whatever has ERROR or above is at least the bit of ERROR."""
    return sum(LEVEL_BITS[level] for level in set(levels))


def _counts() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default=text("0")) for name in LEVEL_COLUMNS.values()]


def _one_of(column: str, values: type[JobStatus | TaskStatus]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


ACTIVE = f"status NOT IN ({', '.join(sorted(repr(status.value) for status in FINAL_STATUSES))})"

LEVEL_KNOWN = f"level IN ({', '.join(str(int(level)) for level in LogLevel)})"

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, nullable=False),
    Column("handler_name", Text, nullable=False),
    Column("source", Text),
    Column("status", Text, nullable=False),
    Column("progress_current", BigInteger),
    Column("progress_total", BigInteger),
    Column("error", Text),
    Column("result", Text),
    Column("parent_job_id", Text),
    Column("execution_id", Text),
    Column("metadata", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("last_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("first_recorded_at", DateTime(timezone=True)),
    Column("last_recorded_at", DateTime(timezone=True)),
    *_counts(),
    Column("schedule_id", Text),
    Column("last_started_at", DateTime(timezone=True)),
    Column("is_restarted", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("job_id", name="jobs_pkey"),
    CheckConstraint(_one_of("status", JobStatus), name="jobs_status_known"),
    CheckConstraint("last_seq >= 0", name="jobs_last_seq_counts"),
    Index("jobs_newest", text("created_at DESC"), text("job_id DESC")),
    Index("jobs_finished", "finished_at"),
    Index("jobs_active", "created_at", postgresql_where=text(ACTIVE)),
    Index("jobs_children", "parent_job_id", "created_at", postgresql_where=text("parent_job_id IS NOT NULL")),
    Index(
        "jobs_of_execution", "execution_id", "created_at", "job_id", postgresql_where=text("execution_id IS NOT NULL")
    ),
    Index(
        "jobs_root_of_execution",
        "execution_id",
        text("(schedule_id IS NULL)"),
        "created_at",
        "job_id",
        postgresql_where=text("execution_id IS NOT NULL"),
    ),
    Index("jobs_ended_of_execution", "execution_id", "finished_at", postgresql_where=text("execution_id IS NOT NULL")),
    Index(
        "jobs_failed_of_execution",
        "execution_id",
        postgresql_where=text("execution_id IS NOT NULL AND status IN ('CANCELLED', 'FAILED')"),
    ),
    Index("jobs_active_of_execution", "execution_id", postgresql_where=text(f"execution_id IS NOT NULL AND {ACTIVE}")),
    Index(
        "jobs_newest_of_executions",
        text("created_at DESC"),
        text("job_id DESC"),
        postgresql_where=text("execution_id IS NOT NULL"),
    ),
    Index(
        "jobs_newest_of_schedule",
        "schedule_id",
        text("created_at DESC"),
        text("job_id DESC"),
        postgresql_where=text("schedule_id IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 70},
)
"""Room is left in the pages since every batch updates its job's row: the new version then needs no index entry.

`last_started_at` is when the job was told to start, last of all, and `is_restarted` whether it had been before, or had ended.
"""

job_tasks = Table(
    "job_tasks",
    metadata,
    Column("job_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("name", Text),
    Column("status", Text),
    Column("result", Text),
    Column("first_seq", BigInteger, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    *_counts(),
    Column("last_seq", BigInteger, nullable=False, server_default=text(str(2**63 - 1))),
    PrimaryKeyConstraint("job_id", "stage", "task_id", name="job_tasks_pkey"),
    CheckConstraint(_one_of("status", TaskStatus), name="job_tasks_status_known"),
    Index("job_tasks_in_order", "job_id", "stage", "first_seq", "first_at", "task_id"),
    Index("job_tasks_by_id", "task_id", "job_id"),
    postgresql_with={"fillfactor": 70},
)
"""A stage's own lines are those of the task that bears its name. `status` is null until the job states one. None of its
lines has a seq behind `last_seq`.

No foreign key: append.sql is the only writer and writes both tables, so a check of every new task would find nothing.
"""

capture_positions = Table(
    "capture_positions",
    metadata,
    Column("job_id", Text, nullable=False),
    Column("writer_id", Uuid, nullable=False),
    Column("last_n", BigInteger, nullable=False),
    PrimaryKeyConstraint("job_id", "writer_id", name="capture_positions_pkey"),
    postgresql_with={"fillfactor": 70},
)

pruned_levels = Table(
    "pruned_levels",
    metadata,
    Column("level", SmallInteger, nullable=False, autoincrement=False),
    Column("before", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("level", name="pruned_levels_pkey"),
    CheckConstraint(LEVEL_KNOWN, name="pruned_levels_level_known"),
)
"""No line of the level is left of those that were stored before that time."""

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("job_prefix", Text),
    Column("name", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("token_id", name="access_tokens_pkey"),
    CheckConstraint("octet_length(digest) = 32", name="access_tokens_digest_is_sha256"),
    CheckConstraint(
        f"scopes <@ ARRAY[{', '.join(repr(scope.value) for scope in Scope)}]::text[]", name="access_tokens_scopes_known"
    ),
)
"""The digest is that of the secret, which is kept nowhere."""

task_logs = Table(
    "task_logs",
    metadata,
    Column("job_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("execution_id", Text),
    Column("stage", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("metadata", JSONB),
    PrimaryKeyConstraint("job_id", "seq", "recorded_at", name="task_logs_pkey"),
    CheckConstraint("seq > 0", name="task_logs_seq_counts"),
    CheckConstraint(LEVEL_KNOWN, name="task_logs_level_known"),
    Index("task_logs_by_level", "job_id", "level", "seq", postgresql_where=text(f"level <> {int(COMMONEST)}")),
    postgresql_partition_by="RANGE (recorded_at)",
)
"""Partitioned by week. A line of the stage itself has the stage's name as its task."""

stored_batches = Table(
    "stored_batches",
    metadata,
    Column("job_id", Text, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("levels", SmallInteger, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("size", BigInteger, nullable=False),
    PrimaryKeyConstraint("recorded_at", "job_id", "first_seq", name="stored_batches_pkey"),
    Index(
        "stored_batches_grave",
        "recorded_at",
        "job_id",
        "first_seq",
        postgresql_where=text(f"levels >= {level_bits([LogLevel.ERROR])}"),
    ),
)
"""Which lines were stored when: those of a job from `first_seq` to `last_seq` have this recorded_at. An index of the lines
themselves would cost every line; this costs a row a batch.

`levels` has a bit for each level of its lines, `first_at` and `last_at` bound their times, and `size` tells about how many
bytes they are.
"""
