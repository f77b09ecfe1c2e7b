"""The pages followed word by word in fresh environments: every command of every page, in its order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.apps.libpq import libpq
from tests.apps.running import finished, soon
from tests.client import PATIENCE_S, Api
from tests.conftest import CloneDatabase, Service
from tests.documents import PAGES, table
from tests.faults.capture.proxy import free_port
from tests.reader import Reader, steps
from tests.redis_server import RedisServer

PLAIN = [
    "README.md",
    "docs/capture.md",
    "docs/graphql.md",
    "docs/http.md",
    "docs/otlp.md",
    "docs/python.md",
    "docs/shell.md",
]
QUEUES = ["docs/celery.md", "docs/procrastinate.md", "docs/taskiq.md"]
SERVED = ["docs/installing.md", "docs/access.md", "docs/operating.md"]
RELEASED = ["docs/releasing.md"]
PROGRAMS = ("backup", "fetch-orders", "import-orders", "make-tests", "nightly-import.sh")


LIMIT_S = 600


@pytest.fixture
def reader(shared_service: Service, tmp_path: Path) -> Reader:
    """Provide a reader with an empty environment and the SDK's files, beside a service that runs."""
    service = shared_service
    elsewhere = {
        "http://127.0.0.1:8820": service.url,
        "ws://127.0.0.1:8820": service.url.replace("http", "ws"),
        "./nightly-import.sh": "nightly-import.sh",
    }
    reader = Reader(tmp_path, elsewhere, JOBTAIL_URL=service.url, CI_PIPELINE_ID="71")
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho "{name} $*"\necho "second line"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    reader.has_a_checkout("sdk")
    reader.has_an_environment()
    return reader


@pytest.fixture
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def test_every_page_with_a_command_is_followed() -> None:
    assert {page for page in PAGES if any(step.language == "sh" for step in steps(page))} == {
        *PLAIN,
        *QUEUES,
        *SERVED,
        *RELEASED,
    }


@pytest.mark.parametrize("page", PLAIN)
def test_the_commands_and_programs_of_a_page_run(page: str, reader: Reader, api: Api) -> None:
    api.start("JB_DEMO_1")
    api.capture("JB_DEMO_1", "Reading job description")
    api.finish("JB_DEMO_1")
    for step in steps(page):
        if "make run" in step.text:  # a test of its own runs it
            continue
        if "raise LookupError" in step.text:
            with pytest.raises(AssertionError, match="LookupError: no contract CNT_2"):
                reader.follow(step)
        else:
            reader.follow(step)


def follow(page: str, reader: Reader, look: Callable[[list[str]], None]) -> None:
    """Follow a page with its servers left running, and look at what came of it, with what each block printed, before they end."""
    with ExitStack() as terminals:
        said: list[str] = []
        for step in steps(page):
            if step.ready:
                terminals.enter_context(reader.started(step))
            else:
                said.append(reader.follow(step))
        look(said)


def lines_of(api: Api, job_id: str, *names: str) -> list[list[str]]:
    return [[line[name] for name in names] for line in finished(api, job_id)["logs"]["nodes"]]


def has_an_execution(api: Api, schedule_id: str) -> bool:
    """Wait until an execution of a schedule is over and its job is the stock's count."""
    query = """query ($id: String) {
      executions(scheduleId: $id, first: 9, statuses: [COMPLETED]) { nodes { jobs { nodes { handlerName } } } }
    }"""
    (job,) = soon(lambda: api.ask(query, id=schedule_id)["executions"]["nodes"])[0]["jobs"]["nodes"]
    return bool(job["handlerName"] == "count_stock")


@asynccontextmanager
async def with_redis(reader: Reader) -> AsyncIterator[None]:
    async with RedisServer(reader.directory) as redis:
        reader.elsewhere["redis://127.0.0.1:6379/0"] = redis.url
        yield


async def test_the_page_of_celery(reader: Reader, api: Api) -> None:
    page = "docs/celery.md"

    def look(said: list[str]) -> None:
        job_id = said[-1].strip()
        assert lines_of(api, job_id, "level", "message") == table(page, "The id is that of a job with these lines:")
        children = "query ($id: String!) { job(jobId: $id) { children { nodes { handlerName } } } }"
        child = soon(lambda: api.ask(children, id=job_id)["job"]["children"]["nodes"])
        assert child == [{"handlerName": "count_stock"}]
        assert has_an_execution(api, "every second")

    async with with_redis(reader):
        await asyncio.to_thread(follow, page, reader, look)


async def test_the_page_of_taskiq(reader: Reader, api: Api) -> None:
    page = "docs/taskiq.md"

    def look(said: list[str]) -> None:
        lines = lines_of(api, said[-1].strip(), "level", "message")
        assert lines == table(page, "The id is that of a job with these lines:")
        assert has_an_execution(api, "every second")

    async with with_redis(reader):
        await asyncio.to_thread(follow, page, reader, look)


def test_the_page_of_procrastinate(reader: Reader, api: Api, new_database: CloneDatabase) -> None:
    page = "docs/procrastinate.md"
    environment, _ = libpq(new_database(None))
    reader.has(**environment)

    def look(_said: list[str]) -> None:
        query = '{ jobs(first: 1, filter: {handlerNames: ["import_orders"], search: "procrastinate-"}) { nodes { jobId } } }'
        (job,) = soon(lambda: api.ask(query)["jobs"]["nodes"])
        lines = lines_of(api, job["jobId"], "stage", "level", "message")
        assert lines == table(
            page, "If procrastinate gives it the number 17, `procrastinate-17` is a job with these lines:"
        )
        assert has_an_execution(api, "count_stock:each second")

    follow(page, reader, look)


@pytest.fixture
def operator(new_database: CloneDatabase) -> Iterator[Reader]:
    """Provide a reader with a checkout and no environment, on a machine where nothing of Jobtail runs yet.

    Its directory has a short path, as on such a machine: PostgreSQL's socket is named in it.
    """
    with TemporaryDirectory(prefix="jobtail-") as directory:
        yield _operator(Path(directory), new_database)


def _operator(directory: Path, new_database: CloneDatabase) -> Reader:
    port, checkout = free_port(), directory / "checkout"
    checkout.mkdir()
    elsewhere = {
        "/opt/jobtail": str(checkout / "venv"),
        "/tmp/": f"{directory}/",
        "'.[embedded,regex]'": "'.[embedded,regex,tracing]'",
        "http://127.0.0.1:8820": f"http://127.0.0.1:{port}",
        "https://jobtail.example.com": f"http://127.0.0.1:{port}",
        "postgresql://jobtail:PASSWORD@db.example.com:5432/jobtail": plain(new_database(None)),
        "postgresql://jobtail:PASSWORD@db.example.com:5432/restored": plain(new_database(None)),
        "http://collector:4318": "http://127.0.0.1:9",
    }
    reader = Reader(checkout, elsewhere, JOBTAIL_PORT=str(port))
    reader.has_a_checkout()
    return reader


def plain(url: str) -> str:
    """Write a URL as libpq takes it, too, and for a shell."""
    return quote(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_the_pages_of_the_operator_in_their_order(operator: Reader) -> None:
    for page in SERVED:
        with ExitStack() as terminals:
            for step in steps(page):
                if step.ready:
                    terminals.enter_context(operator.started(step))
                else:
                    said = operator.follow(step)
                    if listed := re.search(r"^([0-9a-f]{12})  ", said, re.MULTILINE):
                        operator.elsewhere["1f0c9a7e2b4d"] = listed[1]


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_the_wheels_of_a_release(operator: Reader) -> None:
    with ExitStack() as terminals:
        for step in steps("docs/releasing.md"):
            if step.ready:
                terminals.enter_context(operator.started(step))
            else:
                operator.follow(step)


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_a_fresh_checkout_serves_by_make_run(operator: Reader) -> None:
    step = steps("README.md")[0]
    command, _ = step.text.splitlines()
    with operator.started(replace(step, text=f"{command}\n")) as output:
        assert "Installing the service" in output.read_text()
        found = httpx.get(operator.elsewhere["http://127.0.0.1:8820"], timeout=PATIENCE_S)
        assert "<title>Jobtail</title>" in found.text
    installed = {path.name for path in (operator.directory / ".venv/bin").iterdir()}
    assert installed.isdisjoint({"mypy", "pytest", "playwright", "ruff"})
