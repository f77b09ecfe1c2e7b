"""A real PostgreSQL for every test: one server a run, a database a test, cloned from a migrated template."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import make_url

from persistence.database import Database
from persistence.embedded.embedded_server import EmbeddedPostgres
from persistence.migration import upgrade
from persistence.upkeep.maintenance import ensure_partitions
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
TEMPLATE = "jobtail_template"
START_S = 30

settings.register_profile(
    "few",
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("many", settings.get_profile("few"), max_examples=500)
settings.load_profile("few")
"""Few examples of each property in `make test`, many in `make test-long`, which says `--hypothesis-profile=many`."""


def pytest_configure() -> None:
    """Hear SIGINT and SIGQUIT, as the processes of tests do, though tests may run in the background, where both are ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests measured, those of other processes included."""
    for report in terminalreporter.getreports("passed"):
        for name, measured in report.user_properties:
            terminalreporter.line(f"{name}: {measured}")


CloneDatabase = Callable[[str | None], str]


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server for all tests of this process; yields the URL of its maintenance database."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    with asyncio.Runner() as runner:
        runner.run(server.__aenter__())
        try:
            yield server.url
        finally:
            runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> CloneDatabase:
    """Make databases: empty ones, or clones of one that is named."""
    numbers = count()

    def make(template: str | None) -> str:
        name = f"test_{next(numbers)}"
        asyncio.run(_create(postgres_server, name, template))
        return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)

    return make


async def _create(server: str, name: str, template: str | None) -> None:
    connection = await connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    finally:
        await connection.close()


async def connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """Open a connection of the driver's own."""
    parsed = make_url(url)
    host = parsed.query.get("host", parsed.host)
    port = parsed.query.get("port", parsed.port or 5432)
    return await asyncpg.connect(
        host=str(host), port=int(str(port)), user=parsed.username, password=parsed.password, database=parsed.database
    )


@pytest.fixture(scope="session")
def migrated_template(new_database: CloneDatabase) -> str:
    url = new_database(None)

    async def migrate() -> None:
        async with Database(url) as database:
            await upgrade(database.engine)
            await ensure_partitions(database)

    asyncio.run(migrate())
    name = make_url(url).database
    assert name is not None
    return name


@pytest.fixture
def postgres_url(new_database: CloneDatabase) -> str:
    """The SQLAlchemy URL of a private, empty database."""
    return new_database(None)


@pytest.fixture
def database_url(new_database: CloneDatabase, migrated_template: str) -> str:
    """The SQLAlchemy URL of a private, migrated database."""
    return new_database(migrated_template)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@dataclass(frozen=True, slots=True)
class Served:
    """Where a running service is reached."""

    url: str

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def websocket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/graphql"


@dataclass(frozen=True, slots=True)
class Service(Served):
    """A running service process."""

    process: subprocess.Popen[str]


SERVE = ("-c", "from graph.cli import main; main()", "serve")
SERVE_WITH_SAMPLES = ("-m", "examples.recruiting")
"""What `make run` runs."""


@contextmanager
def serving(
    database_url: str, log: Path | None = None, command: Sequence[str] = SERVE, /, **settings: str
) -> Iterator[Service]:
    """Run a service on a free port; settings are environment variables. Its own log may go to a file."""
    environment = {**os.environ, "JOBTAIL_PORT": "0", "DATABASE_URL": database_url, **settings}
    with log.open("w") if log else nullcontext() as stderr:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "GraphiQL: " in said, f"the service did not start: {said!r}"
        yield Service(said.split("GraphiQL: ")[1].strip().removesuffix("/graphql"), process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(START_S)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    with serving(database_url) as running:
        yield running


@pytest.fixture(scope="session")
def shared_service(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    """One service for all tests of this process that ask for their own jobs only."""
    with serving(new_database(migrated_template)) as running:
        yield running


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Redis for the tests of a module; yields its URL."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    with asyncio.Runner() as runner:
        runner.run(server.__aenter__())
        try:
            yield server.url
        finally:
            runner.run(server.__aexit__())


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Run a Redis that a test may stop and start."""
    async with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["memory", "postgres", "redis"])
def channel_url(request: pytest.FixtureRequest) -> str:
    """The URL of a channel, once for each kind."""
    match request.param:
        case "memory":
            return "memory://"
        case "postgres":
            return str(request.getfixturevalue("postgres_url"))
        case _:
            return str(request.getfixturevalue("redis").url)
