"""A real taskiq worker and scheduler on a real Redis, and what the service then knows of their tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from taskiq import (
    AsyncBroker,
    InMemoryBroker,
    ScheduledTask,
    ScheduleSource,
    SimpleRetryMiddleware,
    SmartRetryMiddleware,
    TaskiqMessage,
    TaskiqMiddleware,
    TaskiqResult,
)
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker
from taskiq_redis import RedisStreamBroker

from jobtail import JobFinished, JobStarted, JobStatus, client
from jobtail.integrations.taskiq import JobtailMiddleware, install
from jobtail.job.session import current_job
from tests.apps.running import finished, job_with, running, said, soon
from tests.client import Api
from tests.conftest import CloneDatabase, serving
from tests.recording import Recording, RecordingSink, recording

WORKER = ("worker", "tests.apps.taskiq_app:broker", "--workers", "1")


@dataclass(frozen=True)
class Shop:
    """A worker, its service, and what sends it tasks."""

    api: Api
    environment: dict[str, str]

    def send(self, task: str, *args: Any, **labels: Any) -> str:
        return asyncio.run(self._send(task, *args, **labels))

    async def _send(self, task: str, *args: Any, **labels: Any) -> str:
        broker: AsyncBroker = RedisStreamBroker(self.environment["REDIS_URL"])
        kicker: AsyncKicker[Any, Any] = AsyncKicker(task, broker, dict(labels))
        sent = await kicker.kiq(*args)
        await broker.shutdown()
        return sent.task_id

    def run(self, task: str, *args: Any, **labels: Any) -> Any:
        return finished(self.api, self.send(task, *args, **labels))


@pytest.fixture(scope="module")
def shop(
    redis_url: str, new_database: CloneDatabase, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("taskiq")
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        environment = {"JOBTAIL_URL": service.url, "REDIS_URL": redis_url}
        with running(directory, "taskiq", *WORKER, ready="Listening started", environment=environment):
            yield Shop(api, environment)


def test_a_task_is_a_job_with_what_it_logged(shop: Shop) -> None:
    job = shop.run("greet", "Ada")
    assert (job["handlerName"], job["source"], job["status"]) == ("greet", "taskiq:taskiq", "COMPLETED")
    assert said(job) == [("main", None, "INFO", "hello Ada"), ("fetch", "CNT_1", "INFO", "in a task")]
    assert job["metadata"] == {"args": ["Ada"], "kwargs": {}, "retries": 0}


def test_a_task_that_runs_in_a_thread_is_captured_there(shop: Shop) -> None:
    assert said(shop.run("in_a_thread")) == [("thread", None, "INFO", "in a thread")]


def test_interleaved_tasks_of_one_loop_keep_their_lines_apart(shop: Shop) -> None:
    ids = shop.send("interleaved", "ping", "pong"), shop.send("interleaved", "pong", "ping")
    for name, job_id in zip(("ping", "pong"), ids, strict=True):
        assert said(finished(shop.api, job_id)) == [(name, None, "INFO", f"{name} {n}") for n in range(3)]


def test_a_failure_is_one_line_with_its_traceback(shop: Shop) -> None:
    job = shop.run("broken")
    assert (job["status"], job["error"]) == ("FAILED", "ValueError: no")
    (line,) = job["logs"]["nodes"]
    assert (line["level"], line["metadata"]["exception"]) == ("ERROR", "ValueError")
    assert line["message"].startswith("Traceback")


def test_a_retried_task_is_one_job_that_runs_until_its_last_attempt(shop: Shop) -> None:
    job = shop.run("flaky", 2, retry_on_error=True)
    assert (job["status"], job["metadata"]["retries"]) == ("COMPLETED", 2)
    assert said(job) == [
        ("main", None, "INFO", "attempt 0"),
        ("main", None, "WARNING", "retry 1 of 2: ValueError: not yet"),
        ("main", None, "INFO", "attempt 1"),
        ("main", None, "WARNING", "retry 2 of 2: ValueError: not yet"),
        ("main", None, "INFO", "attempt 2"),
    ]
    job = shop.run("flaky", 9, retry_on_error=True)
    assert (job["status"], job["error"], job["metadata"]["retries"]) == ("FAILED", "ValueError: not yet", 2)


def test_a_task_sent_by_a_task_knows_its_parent(shop: Shop) -> None:
    parent_id = shop.send("parent")
    job = job_with(shop.api, parent_id, lambda job: bool(job["children"]["nodes"]))
    assert finished(shop.api, job["children"]["nodes"][0]["jobId"])["parent"] == {"jobId": parent_id}


def test_a_task_that_is_put_back_into_the_queue_is_one_job(shop: Shop) -> None:
    job = shop.run("requeued")
    assert job["status"] == "COMPLETED"
    assert [message for *_, message in said(job)] == ["delivered", "put back into the queue", "delivered"]


def test_a_task_that_leaves_by_an_exit_has_failed_as_taskiq_says(shop: Shop) -> None:
    for code, error in (({"failed": 3}, "SystemExit: {'failed': 3}"), (0, "SystemExit: 0")):
        job = shop.run("leaves", code)
        assert (job["status"], job["error"]) == ("FAILED", error)


def test_a_message_for_a_task_that_no_worker_knows_is_a_failed_job(shop: Shop) -> None:
    job = shop.run("renamed_last_week", 1)
    assert (job["handlerName"], job["status"]) == ("renamed_last_week", "FAILED")
    assert job["error"] == "TaskNotFound: there is no task renamed_last_week"
    assert job["metadata"]["args"] == [1]


def test_a_cancelled_task_is_a_cancelled_job(shop: Shop) -> None:
    assert shop.run("cancelled")["status"] == "CANCELLED"


def test_a_scheduled_task_is_an_execution_with_all_that_it_started(shop: Shop, tmp_path: Path) -> None:
    query = """{ executions(scheduleId: "each second", first: 5) {
      nodes { executionId status jobs { nodes { jobId handlerName parent { jobId } } } }
    } }"""

    def look() -> Any:
        nodes = shop.api.ask(query)["executions"]["nodes"]
        return next((node for node in nodes if len(node["jobs"]["nodes"]) == 2), None)

    scheduler = ("scheduler", "tests.apps.taskiq_app:scheduler")
    with running(tmp_path, "taskiq", *scheduler, ready="Starting scheduler", environment=shop.environment):
        execution = soon(look)
    root = finished(shop.api, execution["executionId"])
    assert [line["executionId"] for line in root["logs"]["nodes"]] == [root["jobId"]]
    jobs = {job["handlerName"]: job["parent"] for job in execution["jobs"]["nodes"]}
    assert jobs == {"tick": None, "child": {"jobId": root["jobId"]}}


@pytest.fixture
def captured() -> Iterator[Recording]:
    """What tasks of this process leave."""
    with recording() as present:
        yield present


async def fail_once(*middlewares: TaskiqMiddleware) -> None:
    """Run a task that fails the first time, in this process, until nothing more is sent."""
    broker = InMemoryBroker(await_inplace=True)
    broker.add_middlewares(*middlewares)
    attempts: list[int] = []

    @broker.task(task_name="fails_once", retry_on_error=True)
    async def fails_once() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("not yet")

    await fails_once.kiq()


async def test_a_retry_that_keeps_its_result_is_known_by_its_message(captured: Recording) -> None:
    await fail_once(JobtailMiddleware(), SimpleRetryMiddleware(no_result_on_retry=False))
    assert captured.messages == ["retry 1 of 2: ValueError: not yet"]
    assert JobStatus.FAILED not in {event.status for event in captured.of(JobFinished)}


async def test_a_retry_by_a_schedule_is_known_by_the_result_that_it_takes_away(captured: Recording) -> None:
    class Schedule(ScheduleSource):
        async def get_schedules(self) -> list[ScheduledTask]:
            return []

        async def add_schedule(self, schedule: ScheduledTask) -> None:
            assert schedule.labels["_retries"] == "1"

    await fail_once(JobtailMiddleware(), SmartRetryMiddleware(schedule_source=Schedule()))
    assert captured.messages == ["retry 1 of 2: ValueError: not yet"]
    assert captured.of(JobFinished) == []


class Strict(TaskiqMiddleware):
    """Somebody's own, which raises at one step of a run."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self._check("pre_execute")
        return message

    async def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        self._check("post_execute")

    def _check(self, step: str) -> None:
        if step == self.step:
            raise PermissionError("not this one")


@pytest.mark.parametrize("step", ["pre_execute", "post_execute"])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_middleware_that_raises_leaves_no_job_running(captured: Recording, step: str, is_first: bool) -> None:
    broker = InMemoryBroker(await_inplace=True)
    ours, strict = JobtailMiddleware(), Strict(step)
    broker.add_middlewares(*([strict, ours] if is_first else [ours, strict]))
    ran: list[int] = []

    @broker.task(task_name="works")
    async def works() -> None:
        ran.append(1)

    with pytest.raises(SendTaskError):
        await works.kiq()
    started, finish = captured.of(JobStarted)[0], captured.of(JobFinished)[-1]
    assert (started.handler_name, bool(ran)) == ("works", step == "post_execute")
    is_told = step == "post_execute" and is_first  # it raised when our middleware had told the end
    assert finish.status is (JobStatus.COMPLETED if is_told else JobStatus.FAILED)
    assert current_job() is None


async def test_a_prefix_begins_the_ids_of_jobs_and_of_what_they_start(captured: Recording) -> None:
    broker = InMemoryBroker(await_inplace=True)
    install(broker, prefix="shop-")

    @broker.task(task_name="inner")
    async def inner() -> None:
        pass

    @broker.task(task_name="outer")
    async def outer() -> None:
        await inner.kiq()

    sent = await outer.kiq()
    first, second = captured.of(JobStarted)
    assert first.job_id == f"shop-{sent.task_id}"
    assert second.job_id.startswith("shop-")
    assert second.parent_job_id == first.job_id


async def test_a_middleware_that_was_added_twice_opens_one_job(captured: Recording) -> None:
    await fail_once(JobtailMiddleware(), JobtailMiddleware())
    assert (len(captured.of(JobStarted)), len(captured.of(JobFinished))) == (1, 1)


async def test_a_fault_of_ours_is_counted_and_no_task_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("jobtail.integrations.taskiq.Attempt", fail)
    monkeypatch.setattr("jobtail.integrations.taskiq.context.present", fail)
    broker = InMemoryBroker(await_inplace=True)
    install(broker)

    @broker.task(task_name="works")
    async def works() -> str:
        return "done"

    client.use(client.Client(RecordingSink()))
    try:
        result = await (await works.kiq()).wait_result()
        assert (result.return_value, client.stats().faults) == ("done", 2)
    finally:
        client.use(None)
