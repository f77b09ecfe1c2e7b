"""The pages of the queues are true: their examples, run as workers, leave the lines that the pages show."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import procrastinate
from celery import Celery
from taskiq.kicker import AsyncKicker
from taskiq_redis import RedisStreamBroker

from tests.apps.running import finished, run_python, running, soon
from tests.client import Api
from tests.conftest import ROOT, CloneDatabase, Service
from tests.integration.docs.test_docs import blocks
from tests.integration.sdk.integrations.test_procrastinate import libpq
from tests.redis_server import RedisServer

EXAMPLE_REDIS = "redis://127.0.0.1:6379/0"


def write_example(page: str, directory: Path, redis_url: str = EXAMPLE_REDIS) -> None:
    """Write the program of a page as the module `shop`."""
    (program,) = [block.text for block in blocks(page) if block.language == "python"]
    (directory / "shop.py").write_text(program.replace(EXAMPLE_REDIS, redis_url), "utf-8")


def printed_lines(page: str) -> list[list[str]]:
    """Read the cells of the table of lines."""
    found = re.search(r"with these lines:\n\n\|.*\n\|[-|]+\n((?:\|.*\n)+)", (ROOT / page).read_text("utf-8"))
    assert found is not None
    return [[cell.strip() for cell in row[1:-1].split(" |")] for row in found[1].splitlines()]


def real_lines(job: Any, *names: str) -> list[list[str]]:
    return [[line[name] for name in names] for line in job["logs"]["nodes"]]


def scheduled(api: Api, schedule_id: str) -> Any:
    """Wait for an execution of a schedule to be over, and give its job."""
    query = "query ($id: String) { executions(scheduleId: $id, first: 9) { nodes { executionId status } } }"

    def look() -> Any:
        nodes = api.ask(query, id=schedule_id)["executions"]["nodes"]
        return next((node["executionId"] for node in nodes if node["status"] == "COMPLETED"), None)

    return finished(api, soon(look))


async def test_the_celery_example(service: Service, tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as redis:
        write_example("docs/celery.md", tmp_path, redis.url)
        await asyncio.to_thread(run_celery, service, tmp_path, redis.url)


def run_celery(service: Service, directory: Path, url: str) -> None:
    client = Celery("client", broker=url)
    worker = ("--app", "shop", "worker", "--concurrency", "1", "--loglevel", "INFO")
    with (
        Api(service) as api,
        running(directory, "celery", *worker, ready="ready.", environment={"JOBTAIL_URL": service.url}),
    ):
        job = finished(api, client.send_task("import_orders", ("berlin",)).id)
        assert real_lines(job, "level", "message") == printed_lines("docs/celery.md")
        child = soon(lambda: api.ask(CHILDREN, jobId=job["jobId"])["job"]["children"]["nodes"])
        assert child == [{"handlerName": "count_stock"}]
        with running(
            directory,
            "celery",
            "--app",
            "shop",
            "beat",
            "-l",
            "INFO",
            ready="Starting",
            environment={"JOBTAIL_URL": ""},
        ):
            assert scheduled(api, "every second")["handlerName"] == "count_stock"
    client.close()


CHILDREN = "query ($jobId: String!) { job(jobId: $jobId) { children { nodes { handlerName } } } }"


def test_the_procrastinate_example(service: Service, new_database: CloneDatabase, tmp_path: Path) -> None:
    write_example("docs/procrastinate.md", tmp_path)
    environment, conninfo = libpq(new_database(None))
    run_python("from shop import app\nwith app.open(): app.schema_manager.apply_schema()", tmp_path, environment)
    worker = ("--app", "shop.app", "worker")
    with (
        Api(service) as api,
        procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=conninfo)).open() as client,
        running(
            tmp_path,
            "procrastinate",
            *worker,
            ready="Starting",
            environment={**environment, "JOBTAIL_URL": service.url},
        ),
    ):
        number = client.configure_task("import_orders").defer(shop="berlin")
        job = finished(api, f"procrastinate-{number}")
        assert real_lines(job, "stage", "level", "message") == printed_lines("docs/procrastinate.md")
        assert scheduled(api, "count_stock:each second")["handlerName"] == "count_stock"


async def test_the_taskiq_example(service: Service, tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as redis:
        write_example("docs/taskiq.md", tmp_path, redis.url)
        await asyncio.to_thread(run_taskiq, service, tmp_path, redis.url)


def run_taskiq(service: Service, directory: Path, url: str) -> None:
    worker = ("worker", "shop:broker", "--workers", "1")
    with (
        Api(service) as api,
        running(directory, "taskiq", *worker, ready="Listening", environment={"JOBTAIL_URL": service.url}),
    ):
        job = finished(api, asyncio.run(send_by_taskiq(url)))
        assert real_lines(job, "level", "message") == printed_lines("docs/taskiq.md")
        with running(
            directory, "taskiq", "scheduler", "shop:scheduler", ready="Starting", environment={"JOBTAIL_URL": ""}
        ):
            assert scheduled(api, "every second")["handlerName"] == "count_stock"


async def send_by_taskiq(url: str) -> str:
    broker = RedisStreamBroker(url)
    kicker: AsyncKicker[Any, Any] = AsyncKicker("import_orders", broker, {"retry_on_error": True})
    sent = await kicker.kiq("berlin")
    await broker.shutdown()
    return sent.task_id
