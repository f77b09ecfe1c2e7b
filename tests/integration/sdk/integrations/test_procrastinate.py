"""A real procrastinate worker on Postgres, and what the service then knows of its jobs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import procrastinate
import pytest

from tests.apps.libpq import libpq
from tests.apps.running import finished, job_with, run_python, running, said, soon
from tests.client import Api
from tests.conftest import ROOT, CloneDatabase, serving

WORKER = ("--app", "tests.apps.procrastinate_app.app", "worker", "--concurrency", "5")
ADMIN = """
from datetime import UTC, datetime
from tests.apps.procrastinate_app import app
with app.open():
    app.job_manager.{}
"""


@dataclass(frozen=True)
class Shop:
    """A queue, its service, and what defers jobs to it."""

    api: Api
    client: procrastinate.App
    environment: dict[str, str]
    directory: Path

    def defer(self, task: str, **arguments: Any) -> str:
        return f"procrastinate-{self.client.configure_task(task).defer(**arguments)}"

    def run(self, task: str, **arguments: Any) -> Any:
        return finished(self.api, self.defer(task, **arguments))


@contextmanager
def opened(new_database: CloneDatabase, migrated_template: str, directory: Path) -> Iterator[Shop]:
    environment, conninfo = libpq(new_database(None))
    schema = "from tests.apps.procrastinate_app import app\nwith app.open(): app.schema_manager.apply_schema()"
    run_python(schema, ROOT, environment)
    connector = procrastinate.SyncPsycopgConnector(conninfo=conninfo)
    with (
        serving(new_database(migrated_template)) as service,
        Api(service) as api,
        procrastinate.App(connector=connector).open() as client,
    ):
        yield Shop(api, client, {**environment, "JOBTAIL_URL": service.url}, directory)


@pytest.fixture(scope="module")
def shop(
    new_database: CloneDatabase, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("procrastinate")
    with (
        opened(new_database, migrated_template, directory) as shop,
        running(directory, "procrastinate", *WORKER, ready="Starting worker", environment=shop.environment),
    ):
        yield shop


def test_a_job_of_the_queue_is_a_job_with_what_it_logged(shop: Shop) -> None:
    job = shop.run("greet", name="Ada", password="hunter2")
    assert (job["handlerName"], job["source"], job["status"]) == ("greet", "procrastinate:default", "COMPLETED")
    assert said(job) == [("main", None, "INFO", "hello Ada"), ("fetch", "CNT_1", "INFO", "in a task")]
    assert (job["metadata"]["kwargs"]["name"], job["metadata"]["attempts"]) == ("Ada", 0)


def test_a_task_that_runs_in_a_thread_is_captured_there(shop: Shop) -> None:
    assert said(shop.run("in_a_thread")) == [("thread", None, "INFO", "in a thread")]


def test_interleaved_tasks_of_one_loop_keep_their_lines_apart(shop: Shop) -> None:
    ids = shop.defer("interleaved", me="ping", other="pong"), shop.defer("interleaved", me="pong", other="ping")
    for name, job_id in zip(("ping", "pong"), ids, strict=True):
        assert said(finished(shop.api, job_id)) == [(name, None, "INFO", f"{name} {n}") for n in range(3)]


def test_a_failure_is_one_line_with_its_traceback(shop: Shop) -> None:
    job = shop.run("broken")
    assert (job["status"], job["error"]) == ("FAILED", "ValueError: no")
    (line,) = job["logs"]["nodes"]
    assert (line["level"], line["metadata"]["exception"]) == ("ERROR", "ValueError")
    assert line["message"].startswith("Traceback")


def test_a_job_that_leaves_by_an_exit_has_failed_as_procrastinate_says(shop: Shop) -> None:
    for code, error in (({"failed": 3}, "SystemExit: {'failed': 3}"), (0, "SystemExit: 0")):
        job = shop.run("leaves", code=code)
        assert (job["status"], job["error"]) == ("FAILED", error)


def test_a_retried_job_is_one_that_runs_until_its_last_attempt(shop: Shop) -> None:
    job = shop.run("flaky", failures=2)
    assert (job["status"], job["metadata"]["attempts"]) == ("COMPLETED", 2)
    assert said(job) == [
        ("main", None, "INFO", "attempt 0"),
        ("main", None, "WARNING", "retry 1 of 3 in 0 s: ValueError: not yet"),
        ("main", None, "INFO", "attempt 1"),
        ("main", None, "WARNING", "retry 2 of 3 in 0 s: ValueError: not yet"),
        ("main", None, "INFO", "attempt 2"),
    ]
    assert "Traceback" in job["logs"]["nodes"][1]["metadata"]["traceback"]
    assert shop.run("flaky", failures=9)["error"] == "ValueError: not yet"


@pytest.mark.parametrize("parent", ["parent", "parent_in_a_thread"])
def test_a_job_deferred_by_a_job_knows_its_parent_and_keeps_its_arguments(shop: Shop, parent: str) -> None:
    job_id = shop.defer(parent)
    job = job_with(shop.api, job_id, lambda job: bool(job["children"]["nodes"]))
    child = finished(shop.api, job["children"]["nodes"][0]["jobId"])
    assert (child["parent"], child["metadata"]["kwargs"].keys()) == ({"jobId": job["jobId"]}, {"n"})
    assert child["status"] == "COMPLETED"


def test_a_periodic_task_is_an_execution_with_all_that_it_started(shop: Shop) -> None:
    query = """{ executions(scheduleId: "tick:each second", first: 5) {
      nodes { executionId status jobs { nodes { jobId handlerName status parent { jobId } } } }
    } }"""

    def look() -> Any:
        nodes = shop.api.ask(query)["executions"]["nodes"]
        return next((node for node in nodes if node["status"] == "COMPLETED"), None)

    execution = soon(look)
    jobs = {job["handlerName"]: job["parent"] for job in execution["jobs"]["nodes"]}
    assert jobs["tick"] is None
    assert jobs["child"] == {"jobId": execution["executionId"]}
    root = finished(shop.api, execution["executionId"])
    assert [line["executionId"] for line in root["logs"]["nodes"]] == [root["jobId"]]


def test_an_aborted_job_is_cancelled(shop: Shop) -> None:
    job_id = shop.defer("forever")
    job_with(shop.api, job_id, lambda job: bool(said(job)))
    shop.client.job_manager.cancel_job_by_id(int(job_id.removeprefix("procrastinate-")), abort=True)
    job = finished(shop.api, job_id)
    assert (job["status"], job["error"]) == ("CANCELLED", "aborted by request")


def test_a_job_that_no_task_has_the_name_of_failed(shop: Shop) -> None:
    job = shop.run("nobody")
    assert (job["handlerName"], job["status"]) == ("nobody", "FAILED")
    assert job["error"] == "TaskNotFound: there is no task nobody"


def test_a_job_goes_on_when_its_worker_died_and_somebody_retries_it(
    new_database: CloneDatabase, migrated_template: str, tmp_path: Path
) -> None:
    with opened(new_database, migrated_template, tmp_path) as shop:
        worker = (*WORKER, "--queues", "default")
        with running(
            tmp_path,
            "procrastinate",
            *worker,
            ready="Starting worker",
            end=signal.SIGKILL,
            environment=shop.environment,
        ):
            job_id = shop.defer("forever")
            first = job_with(shop.api, job_id, lambda job: bool(said(job)))
        assert first["status"] == "RUNNING"
        number = job_id.removeprefix("procrastinate-")
        run_python(ADMIN.format(f"retry_job_by_id({number}, datetime.now(UTC))"), ROOT, shop.environment)
        waiting = job_with(shop.api, job_id, lambda job: len(said(job)) == 2)
        assert said(waiting)[1] == ("main", None, "WARNING", "put back into the queue")
        run_python(ADMIN.format(f"cancel_job_by_id({number})"), ROOT, shop.environment)
        job = finished(shop.api, job_id)
        assert (job["status"], job["error"]) == ("CANCELLED", "cancelled while it waited")
