"""The contract of every TaskStore."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.jobs import LogCounts
from domain.pages import Page, Window
from domain.requests import TaskPageRequest
from domain.stages import stage_status as hierarchy
from domain.stages.stage_status import TaskRecord
from jobtail.events import JobStarted, Line, LogLevel, TaskChanged, TaskStatus
from tests.contract.conftest import Stores
from tests.fakes import store

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
Key = tuple[int, datetime, str]


def line(message: str, stage: str | None, task_id: str | None = None, *, n: int = 0, level: int = 20) -> Line:
    at = AT + timedelta(seconds=n)
    return Line(job_id="job", message=message, stage=stage, task_id=task_id, at=at, level=LogLevel(level))


async def task_of(stores: Stores, stage: str, task_id: str) -> TaskRecord:
    task = await stores.tasks.get("job", stage, task_id)
    assert task is not None
    return task


async def page(stores: Stores, window: Window[Key]) -> Page[TaskRecord]:
    (found,) = await stores.tasks.pages([TaskPageRequest(job_id="job", stage="score", window=window)])
    return found


async def test_a_task_has_its_first_line_its_times_and_its_counts(stores: Stores) -> None:
    await store(stores.logs, line("a", "read_jd", n=0), line("b", "score", "c-1", n=5), line("c", "score", "c-1", n=3))
    await store(stores.logs, line("d", "score", "c-1", n=9, level=40), line("e", "score", "c-2", n=10))
    assert await task_of(stores, "score", "c-1") == TaskRecord(
        job_id="job",
        stage="score",
        task_id="c-1",
        name=None,
        stated=None,
        result=None,
        first_seq=2,
        started_at=AT + timedelta(seconds=3),
        last_at=AT + timedelta(seconds=9),
        finished_at=None,
        log_counts=LogCounts(info=2, error=1),
    )
    assert await stores.tasks.get("job", "score", "read_jd") is None
    assert await stores.tasks.get("other", "score", "c-1") is None


async def test_the_status_that_a_job_states_is_kept_with_name_and_result(stores: Stores) -> None:
    def changed(status: TaskStatus, n: int, **told: str) -> TaskChanged:
        at = AT + timedelta(seconds=n)
        return TaskChanged(job_id="job", stage="score", task_id="c-1", status=status, at=at, **told)

    await store(stores.logs, changed(TaskStatus.RUNNING, 0, name="Zoë"))
    assert (await task_of(stores, "score", "c-1")).finished_at is None
    await store(stores.logs, changed(TaskStatus.COMPLETED, 1, result="0.5"))
    await store(stores.logs, line("after", "score", "c-1", n=2))
    task = await task_of(stores, "score", "c-1")
    assert (task.name, task.stated, task.result) == ("Zoë", TaskStatus.COMPLETED, "0.5")
    assert (task.started_at, task.finished_at, task.last_at) == (
        AT,
        AT + timedelta(seconds=1),
        AT + timedelta(seconds=2),
    )
    await store(stores.logs, changed(TaskStatus.RUNNING, 3))
    task = await task_of(stores, "score", "c-1")
    assert (task.stated, task.result, task.finished_at) == (TaskStatus.RUNNING, "0.5", None)


async def test_stages_come_in_the_order_of_their_first_lines_and_sum_up_their_tasks(stores: Stores) -> None:
    await store(stores.logs, line("a", "read_jd"), line("b", "score", "c-1", n=1, level=40))
    await store(stores.logs, line("c", "score", n=2, level=50), line("d", "read_jd", n=9), line("e", None, n=4))
    await store(stores.logs, line("f", "score", "c-1", n=3, level=50))
    await store(
        stores.logs,
        TaskChanged(job_id="job", stage="read_jd", task_id="read_jd", status=TaskStatus.CANCELLED, at=AT),
        TaskChanged(job_id="job", stage="score", task_id="c-1", status=TaskStatus.FAILED, at=AT),
    )
    read_jd, score, main = (await stores.tasks.stages(["job"]))["job"]
    assert [stage.name for stage in (read_jd, score, main)] == ["read_jd", "score", "main"]
    assert [stage.first_seq for stage in (read_jd, score, main)] == [1, 2, 5]
    assert (read_jd.started_at, read_jd.last_at) == (AT, AT + timedelta(seconds=9))
    assert (score.task_count, score.log_counts, score.own_failures) == (2, LogCounts(error=1, critical=2), 1)
    assert (read_jd.stated, score.stated, main.stated) == (TaskStatus.CANCELLED, None, None)
    assert (read_jd.own_failures, main.own_failures, main.task_count) == (0, 0, 1)


async def test_hierarchies_hold_what_stages_and_pages_of_tasks_say(stores: Stores) -> None:
    for job_id in ("one", "two"):
        for n, stage in enumerate(("score", "read_jd", None, "score")):
            of_task = [line("x", stage, f"c-{2 - n}", n=n, level=40), line("y", stage, n=n)]
            await store(stores.logs, *(replace(each, job_id=job_id) for each in of_task))
        stated = TaskChanged(
            job_id=job_id, stage="score", task_id="score", status=TaskStatus.FAILED, at=AT, name="Ärger"
        )
        early = replace(stated, stage="late", task_id="early", at=AT - timedelta(days=1), result="0.5")
        await store(stores.logs, stated, early)
    await store(stores.logs, JobStarted(job_id="silent", handler_name="ingest"))
    asked = ["one", "two", "silent", "unheard-of"]
    found, stages = await stores.tasks.hierarchies(asked), await stores.tasks.stages(asked)
    assert {job_id: each.job for job_id, each in found.items()} == await stores.jobs.get(asked)
    silent = found["silent"].stages
    assert silent is not None
    assert (silent.stages, silent.names, silent.statuses, silent.task_statuses()) == ([], [], [], [])
    for job_id in ("one", "two"):
        tree = found[job_id].stages
        assert tree is not None
        assert [stage.record for stage in tree.stages] == stages[job_id]
        assert tree.names == [stage.name for stage in stages[job_id]]
        assert tree.statuses == [stage.status for stage in tree.stages]
        requests = [TaskPageRequest(job_id=job_id, stage=name, window=Window(limit=9)) for name in tree.names]
        pages = [page.items for page in await stores.tasks.pages(requests)]
        assert [tree.tasks[part] for part in tree.parts] == pages
        of_pages = [
            hierarchy.task_of(stage, record).status
            for stage, own in zip(tree.stages, pages, strict=True)
            for record in own
        ]
        assert [status for part in tree.parts for status in tree.task_statuses()[part]] == of_pages


async def test_hierarchies_that_are_asked_for_together_are_each_answered(stores: Stores) -> None:
    for job_id in ("one", "two"):
        await store(stores.logs, Line(job_id=job_id, message="x", stage="read_jd"))
    asked = [["one"], ["two", "one"], ["unheard-of"], ["one"]]
    found = await asyncio.gather(*map(stores.tasks.hierarchies, asked))
    assert [set(each) for each in found] == [{"one"}, {"one", "two"}, set(), {"one"}]
    await store(stores.logs, Line(job_id="one", message="y", stage="score"))
    one = (await stores.tasks.hierarchies(["one"]))["one"]
    assert one.stages is not None
    assert one.stages.names == ["read_jd", "score"]


async def test_stages_are_loaded_for_many_jobs_at_once(stores: Stores) -> None:
    for job_id in ("one", "two"):
        await store(stores.logs, *(Line(job_id=job_id, message="x", stage=f"{job_id}-{n}") for n in range(3)))
    await store(stores.logs, JobStarted(job_id="silent", handler_name="ingest"))
    stages = await stores.tasks.stages(["one", "two", "silent", "unheard-of"])
    assert {job_id: [stage.name for stage in found] for job_id, found in stages.items()} == {
        "one": ["one-0", "one-1", "one-2"],
        "two": ["two-0", "two-1", "two-2"],
    }


async def test_pages_in_both_directions_make_up_the_tasks_of_a_stage(stores: Stores) -> None:
    await store(stores.logs, *(line("x", "score", f"c-{n % 9}", n=n) for n in range(20)))
    at_once = [
        TaskChanged(job_id="job", stage="score", task_id=f"late-{n}", status=TaskStatus.RUNNING, at=AT)
        for n in (2, 0, 1)
    ]
    await store(stores.logs, *at_once, line("other", "read_jd"))
    every = (await page(stores, Window(limit=100))).items
    assert [task.task_id for task in every] == [f"c-{n}" for n in range(9)] + ["late-0", "late-1", "late-2"]
    forward: list[TaskRecord] = []
    for n in range(4):
        found = await page(stores, Window(limit=3, after=key(forward[-1]) if forward else None))
        assert (found.has_previous, found.has_next) == (n > 0, n < 3)
        forward += found.items
    assert forward == every
    backward: list[TaskRecord] = []
    for n in range(4):
        found = await page(stores, Window(limit=3, before=key(backward[0]) if backward else None, backward=True))
        assert (found.has_previous, found.has_next) == (n < 3, n > 0)
        backward = [*found.items, *backward]
    assert backward == every


def key(task: TaskRecord) -> Key:
    return task.first_seq, task.started_at, task.task_id


async def test_the_jobs_that_have_a_task_are_found_by_its_id_alone(stores: Stores) -> None:
    def of(job_id: str, stage: str, task_id: str | None) -> Line:
        return Line(job_id=job_id, message="m", stage=stage, task_id=task_id, at=AT)

    await store(stores.logs, of("b", "score", "c-1"), of("b", "persist", "c-1"), of("b", "score", None))
    await store(stores.logs, of("a", "score", "c-1"), of("a", "score", "c-2"))
    assert list(await stores.tasks.jobs_of("c-1", limit=10)) == ["a", "b"]
    assert list(await stores.tasks.jobs_of("c-1", limit=1)) == ["a"]
    assert list(await stores.tasks.jobs_of("c-1", job_id="b", limit=10)) == ["b"]
    assert list(await stores.tasks.jobs_of("c-2", job_id="b", limit=10)) == []
    assert list(await stores.tasks.jobs_of("score", limit=10)) == ["b"]
    assert list(await stores.tasks.jobs_of("c-3", limit=10)) == []
