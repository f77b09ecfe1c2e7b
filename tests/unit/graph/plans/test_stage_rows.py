"""The stages and tasks of a job are answered by column as one by one, whatever is stored of them and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.jobs import Job, LogCounts
from domain.logs import TaskLog
from domain.pages import Page
from domain.requests import LogPageRequest
from domain.stages.stage_status import TaskRecord
from graph.context import Context, Services
from graph.plans.columns import Rows
from graph.schema import schema
from graph.types.stage_rows import FirstTasks, StageRows
from graph.types.stages import TaskRows
from jobtail.events import JobStatus, TaskStatus
from tests.fakes import Memory, MemoryJobStore, MemoryLogStore, MemoryTaskStore
from tests.graphql_property import AT, JOB, TASK, UNPLANNED, Operation, answers, assert_alike, operations

TIMES = st.sampled_from([AT + timedelta(seconds=n) for n in range(4)])
STATED = st.none() | st.sampled_from(TaskStatus)
COUNTS = st.builds(LogCounts, info=st.integers(0, 3), error=st.integers(0, 1), critical=st.integers(0, 1))
TASKS = st.lists(
    st.builds(
        replace,
        st.just(TASK),
        stage=st.sampled_from(["read_jd", "score"]),
        task_id=st.sampled_from(["read_jd", "score", "c-1", "c-2"]),
        name=st.none() | st.just("first"),
        stated=STATED,
        result=st.none() | st.just("0.5"),
        first_seq=st.integers(0, 3),
        started_at=TIMES,
        last_at=TIMES,
        finished_at=st.none() | TIMES,
        log_counts=COUNTS,
    ),
    max_size=6,
    unique_by=lambda task: (task.stage, task.task_id),
)
JOBS = st.builds(replace, st.just(JOB), status=st.sampled_from(JobStatus), finished_at=st.none() | TIMES)


class UnwrittenLogs(MemoryLogStore):
    """Gives lines as they are, never as JSON: answers are compared as values."""

    async def pages(self, requests: Sequence[LogPageRequest]) -> Sequence[Page[TaskLog]]:
        return await super().pages([replace(request, written_as=None) for request in requests])


def context(job: Job, tasks: list[TaskRecord]) -> Context:
    memory = Memory(jobs={job.job_id: job}, tasks={(task.job_id, task.stage, task.task_id): task for task in tasks})
    stores = {"jobs": MemoryJobStore(memory), "tasks": MemoryTaskStore(memory), "logs": UnwrittenLogs(memory)}
    return Context(cast("Services", SimpleNamespace(**stores)))


@given(
    operations(schema, "Stage", 'query { job(jobId: "job") { stages { ... } stage(name: "read_jd") { ... } } }', (), 4),
    JOBS,
    TASKS,
)
def test_a_job_that_is_loaded_whole_is_answered_alike(operation: Operation, job: Job, tasks: list[TaskRecord]) -> None:
    assert_alike(operation, partial(context, job, tasks))


TREE = """
query Tree($first: Int = 3) {
  job(jobId: "job") {
    stages {
      __typename name status startedAt finishedAt durationMs taskCount total: logCounts { total error }
      tasks(first: $first) {
        nodes { __typename taskId name status result startedAt logCounts { trace debug info warning error critical } }
      }
    }
  }
}
"""
STORED = [
    replace(TASK, stage=stage, task_id=task_id, first_seq=n, stated=stated, log_counts=LogCounts(info=n, error=n % 2))
    for n, (stage, task_id, stated) in enumerate(
        [
            ("score", "c-1", TaskStatus.FAILED),
            ("read_jd", "read_jd", None),
            ("score", "score", TaskStatus.RUNNING),
            ("read_jd", "c-2", None),
            ("score", "c-3", None),
        ]
    )
]


@pytest.mark.parametrize("first", [None, 0, 1, 2, 1000])
async def test_plain_fields_of_a_job_that_is_loaded_whole_make_no_objects(
    first: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = Operation(TREE, {} if first is None else {"first": first})
    expected = await answers(UNPLANNED, operation, context(JOB, STORED))

    def refuse(rows: Rows) -> Any:
        raise AssertionError(rows)

    for rows in (StageRows, FirstTasks, TaskRows):
        monkeypatch.setattr(rows, "make", refuse)
    assert await answers(schema, operation, context(JOB, STORED)) == expected


async def test_requests_that_share_a_job_are_answered_each_by_what_it_asks_for() -> None:
    """They share what is completed: of other variables, or of another selection, that is something else."""
    shared = context(JOB, STORED)
    found = await shared.services.tasks.hierarchies(["job"])

    async def hierarchies(_: Any) -> Any:
        return found

    cast("Any", shared.services.tasks).hierarchies = hierarchies
    other = TREE.replace("name status", "status name")
    for text, variables in [(TREE, {"first": 1}), (TREE, {"first": 2}), (other, {"first": 2}), (TREE, {"first": 1})]:
        operation = Operation(text, variables)
        assert await answers(schema, operation, shared) == await answers(UNPLANNED, operation, context(JOB, STORED))
