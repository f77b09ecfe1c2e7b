"""A real Celery worker and beat on a real Redis, and what the service then knows of their tasks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.apps.running import finished, job_with, running, said, soon
from tests.client import Api
from tests.conftest import CloneDatabase, serving


@dataclass(frozen=True)
class Shop:
    """A worker, its service, and what sends it tasks."""

    api: Api
    client: Celery
    output: Path
    environment: dict[str, str]

    def send(self, task: str, *args: Any, **options: Any) -> str:
        return str(self.client.send_task(task, args, **options).id)

    def run(self, task: str, *args: Any, **options: Any) -> Any:
        return finished(self.api, self.send(task, *args, **options))


@pytest.fixture(scope="module")
def shop(
    redis_url: str, new_database: CloneDatabase, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("celery")
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        environment = {
            "JOBTAIL_URL": service.url,
            "CELERY_BROKER_URL": redis_url,
            "CELERY_RESULT_BACKEND": redis_url,
        }
        client = Celery("client", broker=redis_url)
        worker = ("--app", "tests.apps.celery_app", "worker", "--concurrency", "2", "--loglevel", "INFO")
        with running(directory, "celery", *worker, ready="ready.", environment=environment) as output:
            yield Shop(api, client, output, environment)
        client.close()


def test_a_task_is_a_job_with_what_it_logged_and_printed(shop: Shop) -> None:
    job = shop.run("greet", "Ada", kwargs={"password": "hunter2", "n": 1})
    assert (job["handlerName"], job["source"], job["status"]) == ("greet", "celery:celery", "COMPLETED")
    assert said(job) == [
        ("main", None, "INFO", "hello Ada"),
        ("main", None, "WARNING", "the task's own logger"),
        ("main", None, "WARNING", "printed"),
        ("fetch", None, "INFO", "in a stage"),
        ("fetch", "CNT_1", "INFO", "in a task"),
    ]
    metadata = job["metadata"]
    assert (metadata["args"], metadata["kwargs"]["n"], metadata["retries"]) == (["Ada"], 1, 0)
    assert job["parent"] is None


def test_a_failure_is_one_line_with_its_traceback(shop: Shop) -> None:
    job = shop.run("broken")
    assert (job["status"], job["error"]) == ("FAILED", "Unpicklable: this and that")
    assert said(job) == [
        ("main", None, "INFO", "before"),
        ("main", None, "ERROR", "Traceback (most recent call last):"),
    ]
    error = job["logs"]["nodes"][1]
    assert error["metadata"]["exception"] == "tests.apps.celery_app.Unpicklable"
    assert error["message"].endswith("tests.apps.celery_app.Unpicklable: this and that")
    assert "in broken\n" in error["message"]


def test_a_retried_task_is_one_job_that_runs_until_its_last_attempt(shop: Shop) -> None:
    job = shop.run("flaky", 2, 0.5)
    assert (job["status"], job["metadata"]["retries"], job["parent"]) == ("COMPLETED", 2, None)
    assert said(job) == [
        ("main", None, "INFO", "attempt 0"),
        (
            "main",
            None,
            "WARNING",
            "retry 1 of 3 in 0.5 s: ValueError: invalid literal for int() with base 10: 'not yet'",
        ),
        ("main", None, "INFO", "attempt 1"),
        (
            "main",
            None,
            "WARNING",
            "retry 2 of 3 in 0.5 s: ValueError: invalid literal for int() with base 10: 'not yet'",
        ),
        ("main", None, "INFO", "attempt 2"),
    ]
    assert "Traceback" in job["logs"]["nodes"][1]["metadata"]["traceback"]


def test_a_job_runs_while_it_waits_for_its_retry(shop: Shop) -> None:
    task_id = shop.send("flaky", 1, 600)
    waiting = job_with(shop.api, task_id, lambda job: len(said(job)) == 2)
    assert (waiting["status"], waiting["finishedAt"]) == ("RUNNING", None)
    assert said(waiting)[1] == (
        "main",
        None,
        "WARNING",
        "retry 1 of 3 in 600 s: ValueError: invalid literal for int() with base 10: 'not yet'",
    )


def test_the_last_attempt_that_fails_fails_the_job(shop: Shop) -> None:
    job = shop.run("flaky", 9, 0.2)
    assert (job["status"], job["error"], job["metadata"]["retries"]) == (
        "FAILED",
        "ValueError: invalid literal for int() with base 10: 'not yet'",
        3,
    )
    assert [level for _, _, level, _ in said(job)].count("WARNING") == 3
    assert said(job)[-1][2:] == ("ERROR", "Traceback (most recent call last):")


def test_a_task_sent_by_a_task_knows_its_parent(shop: Shop) -> None:
    parent_id = shop.send("parent")
    (sent,) = children(shop, parent_id, 1)
    assert finished(shop.api, sent["jobId"])["parent"] == {"jobId": parent_id}


def test_the_tasks_of_a_chain_and_of_a_chord_know_their_parents(shop: Shop) -> None:
    sent = children(shop, shop.send("canvas"), 3)
    assert sorted(job["handlerName"] for job in sent) == ["child", "greet", "greet"]
    jobs = [finished(shop.api, job["jobId"]) for job in sent]
    (first,) = [job["jobId"] for job in jobs if job["handlerName"] == "child"]
    parents = {said(job)[0][3]: job["parent"]["jobId"] for job in soon(lambda: grandchildren(shop, jobs, 2))}
    assert parents.keys() == {"child of ('second',)", "child of ('body',)"}
    assert parents["child of ('second',)"] == first
    assert parents["child of ('body',)"] in {job["jobId"] for job in jobs if job["handlerName"] == "greet"}


def grandchildren(shop: Shop, jobs: list[Any], count: int) -> list[Any] | None:
    """Give the jobs that were started by these, as soon as there are so many."""
    present = [job_with(shop.api, job["jobId"], bool)["children"]["nodes"] for job in jobs]
    ids = [child["jobId"] for nodes in present for child in nodes]
    return [finished(shop.api, job_id) for job_id in ids] if len(ids) == count else None


def children(shop: Shop, job_id: str, count: int) -> Any:
    return job_with(shop.api, job_id, lambda job: len(job["children"]["nodes"]) == count)["children"]["nodes"]


def test_a_pool_process_that_is_killed_fails_its_job(shop: Shop) -> None:
    task_id = shop.send("forever")
    job = job_with(shop.api, task_id, lambda job: bool(said(job)))
    os.kill(int(said(job)[0][3].removeprefix("process ")), signal.SIGKILL)
    job = finished(shop.api, task_id)
    assert job["status"] == "FAILED"
    assert job["error"].startswith("worker lost: Worker exited prematurely: signal 9 (SIGKILL)")
    assert [level for _, _, level, _ in said(job)] == ["INFO", "ERROR"]
    assert (job["handlerName"], job["metadata"]["args"]) == ("forever", [])


def test_a_time_limit_fails_a_job_once(shop: Shop) -> None:
    job = shop.run("too_long")
    assert (job["status"], job["error"]) == ("FAILED", "TimeLimitExceeded: TimeLimitExceeded(1,)")
    assert [level for _, _, level, _ in said(job)] == ["INFO", "ERROR"]


def test_a_job_that_is_terminated_is_cancelled(shop: Shop) -> None:
    task_id = shop.send("forever")
    job_with(shop.api, task_id, lambda job: bool(said(job)))
    shop.client.control.revoke(task_id, terminate=True)
    job = finished(shop.api, task_id)
    assert (job["status"], job["error"]) == ("CANCELLED", "terminated by SIGTERM")


def test_a_task_that_is_revoked_before_it_ran_is_a_cancelled_job(shop: Shop) -> None:
    task_id = shop.send("greet", "nobody", countdown=2)
    shop.client.control.revoke(task_id)
    job = finished(shop.api, task_id)
    assert (job["status"], job["error"], job["handlerName"]) == ("CANCELLED", "revoked before it ran", "greet")
    assert said(job) == [("main", None, "WARNING", "revoked before it ran")]


def test_a_task_that_expired_is_a_cancelled_job(shop: Shop) -> None:
    job = shop.run("greet", "nobody", countdown=2, expires=1)
    assert (job["status"], job["error"]) == ("CANCELLED", "expired before it ran")


def test_ignored_rejected_and_replaced_tasks_end_as_they_should(shop: Shop) -> None:
    ignored = shop.run("ignored")
    assert ignored["status"] == "COMPLETED"
    rejected = shop.run("rejected")
    assert (rejected["status"], rejected["error"]) == ("FAILED", "rejected: not for me")
    replaced = shop.run("replaced")
    assert (replaced["status"], replaced["handlerName"]) == ("COMPLETED", "greet")
    assert ("main", None, "INFO", "hello second half") in said(replaced)


@pytest.mark.parametrize("how", ["chain", "chord", "group"])
def test_a_task_that_others_replace_stays_the_child_of_its_sender(shop: Shop, how: str) -> None:
    sender_id = shop.send("sends", how)
    (replaced,) = children(shop, sender_id, 1)
    job = job_with(shop.api, replaced["jobId"], lambda job: job["status"] == "COMPLETED")
    assert job["parent"] == {"jobId": sender_id}
    assert job["children"]["nodes"]


def test_a_root_task_that_others_replace_stays_a_root(shop: Shop) -> None:
    job = shop.run("replaced_by", "chain")
    assert (job["status"], job["parent"]) == ("COMPLETED", None)
    assert [child["handlerName"] for child in job["children"]["nodes"]] == ["child"]


def test_a_message_for_a_task_that_no_worker_knows_is_a_failed_job(shop: Shop) -> None:
    job = shop.run("renamed_last_week", 1, kwargs={"n": 2})
    assert (job["handlerName"], job["status"]) == ("renamed_last_week", "FAILED")
    assert job["error"] == "NotRegistered: no task of this worker is called renamed_last_week"
    assert said(job) == [("main", None, "ERROR", job["error"])]


def test_arguments_that_the_sender_hides_stay_hidden(shop: Shop) -> None:
    job = shop.run("greet", "Ada", argsrepr="('***',)")
    assert job["metadata"]["args"] == "('***',)"


def test_a_scheduled_task_is_an_execution_with_all_that_it_started(shop: Shop, tmp_path: Path) -> None:
    query = """{ executions(scheduleId: "every second", first: 1) {
      nodes { executionId status jobs { nodes { jobId handlerName parent { jobId } } } }
    } }"""

    def look() -> Any:
        nodes = shop.api.ask(query)["executions"]["nodes"]
        return next((node for node in nodes if len(node["jobs"]["nodes"]) == 2), None)

    beat = ("--app", "tests.apps.celery_app", "beat", "--max-interval", "1", "--loglevel", "INFO")
    with running(tmp_path, "celery", *beat, ready="beat: Starting...", environment=shop.environment):
        execution = soon(look)
    root = finished(shop.api, execution["executionId"])
    assert (root["handlerName"], root["status"]) == ("tick", "COMPLETED")
    assert [line["executionId"] for line in root["logs"]["nodes"]] == [root["jobId"]]
    jobs = {job["handlerName"]: job["parent"] for job in execution["jobs"]["nodes"]}
    assert jobs == {"tick": None, "child": {"jobId": root["jobId"]}}


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_are_captured_alike(
    pool: str, redis_url: str, new_database: CloneDatabase, migrated_template: str, tmp_path: Path
) -> None:
    """Two tasks at a time in threads; solo runs them in the worker's own."""
    url = f"{redis_url[:-1]}{1 if pool == 'solo' else 2}"
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        environment = {"JOBTAIL_URL": service.url, "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url}
        worker = ("--app", "tests.apps.celery_app", "worker", "--pool", pool, "-c", "2", "--loglevel", "INFO")
        client = Celery("client", broker=url)
        with running(tmp_path, "celery", *worker, ready="ready.", environment=environment):
            ids = [client.send_task("greet", (name,)).id for name in "abcd"]
            jobs = [finished(api, job_id) for job_id in ids]
            broken = finished(api, client.send_task("broken").id)
            codes = [{"failed": 3}, [7], 0] if pool == "threads" else []  # the solo worker itself leaves
            left = [finished(api, client.send_task("leaves", (code,)).id) for code in codes]
            after = [finished(api, client.send_task("greet", (name,)).id) for name in "efgh"]
        client.close()
    assert [job["status"] for job in jobs] == ["COMPLETED"] * 4
    assert [said(job)[0][3] for job in jobs] == [f"hello {name}" for name in "abcd"]
    assert {len(said(job)) for job in jobs} == {5}
    assert broken["status"] == "FAILED"
    assert [(said(job)[0][3], job["status"]) for job in left] == [("leaving", "FAILED")] * len(codes)
    assert [(job["status"], job["parent"]) for job in after] == [("COMPLETED", None)] * 4


def test_a_prefix_of_the_app_begins_the_ids_of_its_jobs(
    redis_url: str, new_database: CloneDatabase, migrated_template: str, tmp_path: Path
) -> None:
    url = f"{redis_url[:-1]}4"
    (tmp_path / "prefixed.py").write_text(
        "from tests.apps.celery_app import app\nfrom jobtail.integrations.celery import install\n"
        "install(app, prefix='shop-')\n"
    )
    with serving(new_database(migrated_template)) as service, Api(service) as api:
        environment = {"JOBTAIL_URL": service.url, "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url}
        worker = ("--workdir", str(tmp_path), "--app", "prefixed", "worker", "--pool", "solo", "--loglevel", "INFO")
        client = Celery("client", broker=url)
        with running(tmp_path, "celery", *worker, ready="ready.", environment=environment):
            parent = f"shop-{client.send_task('parent').id}"
            job = job_with(api, parent, lambda job: bool(job["children"]["nodes"]))
            unknown = finished(api, f"shop-{client.send_task('unknown').id}")
            child = finished(api, job["children"]["nodes"][0]["jobId"])
        client.close()
    assert unknown["status"] == "FAILED"
    assert child["jobId"].startswith("shop-")
    assert child["parent"] == {"jobId": parent}


def test_a_worker_without_a_service_works_and_says_once_that_capture_is_off(redis_url: str, tmp_path: Path) -> None:
    url = f"{redis_url[:-1]}3"
    worker = ("--app", "tests.apps.celery_app", "worker", "--concurrency", "1", "--loglevel", "INFO")
    client = Celery("client", broker=url, backend=url)
    environment = {"JOBTAIL_URL": "", "CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url}
    with running(tmp_path, "celery", *worker, ready="ready.", environment=environment) as output:
        results = [client.send_task("greet", (name,)).get(timeout=10) for name in "ab"]
    client.close()
    assert results == [{"greeted": "a"}, {"greeted": "b"}]
    assert output.read_text().count("capture is off") == 1
