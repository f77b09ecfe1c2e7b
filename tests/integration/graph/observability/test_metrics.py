"""/metrics tells what happened, in few series, and to those alone who may know."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from domain.access import Scope
from graph.access.gate import make_token
from graph.app import create_app
from graph.settings import Access, Settings
from jobtail.events import Line, LossNotice
from persistence.database import Database
from persistence.stores.log_store import PostgresLogStore
from persistence.stores.token_store import PostgresTokenStore
from persistence.tables import metadata
from persistence.upkeep.maintenance import ensure_partitions
from persistence.upkeep.table_sizes import TableSizes, table_sizes
from tests.client import JOB_LOGS, PATIENCE_S, Api, by_sse, by_websocket, new_job_id
from tests.conftest import CloneDatabase, Service, connect, serving
from tests.documents import table
from tests.fakes import store
from tests.processes import batches, connected, until

Samples = dict[str, float]
"""The value of each series, by its name and its labels as Prometheus writes them."""


@pytest.fixture(scope="module")
def service(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    with serving(new_database(migrated_template)) as running:
        yield running


def scrape(service: Service) -> Samples:
    text = httpx.get(f"{service.url}/metrics", timeout=PATIENCE_S).raise_for_status().text
    found = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            within = ",".join(f'{label}="{labels[label]}"' for label in sorted(labels))
            found[f"{name}{{{within}}}" if within else name] = value
    return found


def increase(before: Samples, after: Samples) -> Samples:
    """Tell by how much series have grown, those of the process and of the scraping left out."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {
        name: by
        for name, by in grown.items()
        if by > 0
        and name.startswith("jobtail_")
        and not re.search(r"_(created|bucket|sum)\b|/metrics|storage|pool", name)
    }


def capture(service: Service, writer: str, *events: dict[str, object]) -> dict[str, int]:
    body = "\n".join(json.dumps({"n": n, **event}) for n, event in enumerate(events, 1))
    headers = {"Jobtail-Writer": writer}
    answer = httpx.post(f"{service.url}/api/capture", content=body, headers=headers, timeout=PATIENCE_S)
    told: dict[str, int] = answer.raise_for_status().json()
    return told


def said(job_id: str, level: str, **more: object) -> dict[str, object]:
    return {"type": "line", "job_id": job_id, "message": "m", "level": level, **more}


def test_lines_and_batches_are_counted_once_though_they_are_sent_again(service: Service) -> None:
    writer, job_id, before = str(uuid4()), new_job_id(), scrape(service)
    events = [said(job_id, "INFO"), said(job_id, "INFO"), said(job_id, "ERROR")]
    assert capture(service, writer, *events) == {"stored": 3, "skipped": 0}
    assert capture(service, writer, *events) == {"stored": 0, "skipped": 3}
    assert increase(before, scrape(service)) == {
        'jobtail_lines_stored_total{level="INFO"}': 2,
        'jobtail_lines_stored_total{level="ERROR"}': 1,
        "jobtail_batches_stored_total": 1,
        "jobtail_batches_repeated_total": 1,
        "jobtail_store_duration_seconds_count": 2,
        'jobtail_http_request_duration_seconds_count{method="POST",route="/api/capture",status="200"}': 2,
    }


def test_lines_that_a_worker_gave_up_are_counted_as_it_says(service: Service) -> None:
    before, job_id, at = scrape(service), new_job_id(), datetime(2026, 11, 1, tzinfo=UTC)
    notice = LossNotice(lines=312, first_at=at, last_at=at).line(job_id, None)
    told = {"message": notice.message, "metadata": notice.metadata}
    capture(
        service,
        str(uuid4()),
        said(job_id, "WARNING", **told),
        said(job_id, "WARNING", **told | {"metadata": {**(notice.metadata or {}), "dropped": "many"}}),
        said(job_id, "WARNING", **told | {"message": "the parser dropped 7 rows"}),
        said(job_id, "INFO", **told),
    )
    assert increase(before, scrape(service))["jobtail_lines_given_up_total"] == 312


def test_operations_are_timed_by_their_root_field_and_never_by_a_name_of_the_client(service: Service) -> None:
    before = scrape(service)
    with Api(service) as api:
        for number in range(20):
            api.ask(f"query Mine{number} {{ a{number}: jobs {{ totalCount }} }}")
        api.ask('{ jobs { totalCount } job(jobId: "x") { jobId } }')
        api.ask("query { ...on Query { jobs { totalCount } } }")
        api.start(new_job_id())
        assert api.refusal("{ jobz }").code == "BAD_INPUT"
        assert api.refusal("{ jobs(first: -1) { totalCount } }").code == "BAD_INPUT"
    grown = increase(before, scrape(service))
    timed = {name: by for name, by in grown.items() if name.startswith("jobtail_graphql")}
    assert timed == {
        'jobtail_graphql_duration_seconds_count{field="jobs",type="query"}': 21,
        'jobtail_graphql_duration_seconds_count{field="several",type="query"}': 2,
        'jobtail_graphql_duration_seconds_count{field="startJob",type="mutation"}': 1,
        'jobtail_graphql_errors_total{code="BAD_INPUT"}': 2,
    }


def test_an_operation_without_a_plan_is_counted_by_its_reason(service: Service) -> None:
    before = scrape(service)
    with Api(service) as api:
        api.ask("{ jobs { totalCount } __typename }")
        api.ask("{ __schema { queryType { name } } }")
    grown = increase(before, scrape(service))
    unplanned = {name: by for name, by in grown.items() if name.startswith("jobtail_unplanned_operations_total")}
    assert unplanned == {'jobtail_unplanned_operations_total{reason="introspection"}': 1}


async def test_a_query_by_websocket_is_timed_too(service: Service) -> None:
    before = scrape(service)
    async with by_websocket(service, "query { jobs { totalCount } }") as answers:
        await answers.next()
        await asyncio.to_thread(until_scraped, service, "jobtail_websockets", 1)
    grown = increase(before, scrape(service))
    assert grown['jobtail_graphql_duration_seconds_count{field="jobs",type="query"}'] == 1


def test_requests_are_timed_by_the_template_of_their_route(service: Service) -> None:
    before = scrape(service)
    with httpx.Client(base_url=service.url, timeout=PATIENCE_S) as http:
        for number in range(3):
            http.get(f"/jobs/JB_{number}%2F/logs")
            http.get(f"/nothing/{number}")
            http.request("PROPFIND", "/readyz")
        http.get("/static/none.js")
    assert increase(before, scrape(service)) == {
        'jobtail_http_request_duration_seconds_count{method="GET",route="/jobs/{job_id}/logs",status="404"}': 3,
        'jobtail_http_request_duration_seconds_count{method="GET",route="none",status="404"}': 3,
        'jobtail_http_request_duration_seconds_count{method="other",route="/readyz",status="405"}': 3,
        'jobtail_http_request_duration_seconds_count{method="GET",route="/static",status="404"}': 1,
        'jobtail_http_errors_total{route="/jobs/{job_id}/logs",status="404"}': 3,
        'jobtail_http_errors_total{route="none",status="404"}': 3,
        'jobtail_http_errors_total{route="/readyz",status="405"}': 3,
        'jobtail_http_errors_total{route="/static",status="404"}': 1,
    }


def until_scraped(service: Service, name: str, value: float) -> None:
    asyncio.run(until(lambda: scrape(service)[name] == value, patience_s=PATIENCE_S))


async def test_subscribers_are_counted_while_they_are_there(service: Service) -> None:
    following, watching = 'jobtail_subscribers{kind="job"}', 'jobtail_subscribers{kind="jobs"}'
    job_id = new_job_id()
    async with (
        by_websocket(service, JOB_LOGS, jobId=job_id) as lines,
        by_sse(service, JOB_LOGS, jobId=job_id),
        by_sse(service, "subscription { jobsUpdated { jobId } }"),
    ):
        await lines.next()
        await asyncio.to_thread(until_scraped, service, following, 2)
        await asyncio.to_thread(until_scraped, service, watching, 1)
        now = scrape(service)
        assert (now["jobtail_followed_jobs"], now["jobtail_websockets"]) == (1, 1)
        begun = 'jobtail_http_request_duration_seconds_sum{method="POST",route="/graphql",status="200"}'
        assert begun in now
    for name in (following, watching, "jobtail_followed_jobs", "jobtail_websockets"):
        await asyncio.to_thread(until_scraped, service, name, 0)


async def test_a_reader_that_stops_reading_is_seen_to_lag_until_it_reads_on(service: Service) -> None:
    job_id, writer = new_job_id(), str(uuid4())
    async with (
        connected(service.websocket_url, max_queue=1) as websocket,
        aclosing(batches(websocket, job_id, afterSeq=0)) as received,
    ):
        await anext(received)
        for start in range(1, 401, 10):
            lines = [said(job_id, "INFO", n=n, message="x" * 50_000) for n in range(start, start + 10)]
            await asyncio.to_thread(capture, service, writer, *lines)
        await asyncio.to_thread(until_lagging, service)
        while (await anext(received))["logs"][-1]["seq"] < 400:
            pass
        await asyncio.to_thread(until_scraped, service, "jobtail_tail_lag_lines", 0)
        await asyncio.to_thread(until_scraped, service, "jobtail_tail_lag_seconds", 0)


def until_lagging(service: Service) -> None:
    def lags() -> bool:
        now = scrape(service)
        return now["jobtail_tail_lag_lines"] >= 100 and now["jobtail_tail_lag_seconds"] > 0.2

    asyncio.run(until(lags, patience_s=PATIENCE_S))


async def test_a_channel_that_was_lost_is_told(database_url: str) -> None:
    with serving(database_url) as service:
        before = await asyncio.to_thread(scrape, service)
        assert (before["jobtail_channel_up"], before["jobtail_channel_reconnects_total"]) == (1, 0)
        connection = await connect(database_url)
        try:
            found = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            for row in await connection.fetch(found):
                await connection.execute("SELECT pg_terminate_backend($1)", row["pid"])
        finally:
            await connection.close()
        await asyncio.to_thread(until_scraped, service, "jobtail_channel_reconnects_total", 1)
        await asyncio.to_thread(until_scraped, service, "jobtail_channel_up", 1)


def test_the_pool_and_the_room_of_the_tables_are_told(service: Service) -> None:
    asyncio.run(until(lambda: 'jobtail_storage_bytes{table="task_logs"}' in scrape(service), patience_s=PATIENCE_S))
    now = scrape(service)
    assert now["jobtail_pool_connections_max"] == 10
    assert now['jobtail_pool_connections{state="idle"}'] + now['jobtail_pool_connections{state="busy"}'] >= 1
    assert {name: size > 0 for name, size in now.items() if name.startswith("jobtail_storage_bytes")} == {
        f'jobtail_storage_bytes{{table="{table}"}}': True for table in metadata.tables
    }


async def test_a_table_is_as_large_as_its_partitions(database: Database) -> None:
    await ensure_partitions(database)
    before = await table_sizes(database)
    await store(PostgresLogStore(database), *(Line(job_id="job", message="x" * 1000) for _ in range(200)))
    after = await table_sizes(database)
    assert after["task_logs"] >= before["task_logs"] + 200_000
    assert after["access_tokens"] == before["access_tokens"]


async def test_sizes_that_cannot_be_had_are_tried_again() -> None:
    async with Database("postgresql://nobody@127.0.0.1:1/none") as away:
        sizes = TableSizes(away, look_every_s=0.01)
        keeping = asyncio.create_task(sizes.keep())
        done, _ = await asyncio.wait([keeping], timeout=0.2)
        keeping.cancel()
    assert (done, sizes.bytes) == (set(), {})


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("text/plain;version=0.0.4,application/openmetrics-text;q=0.5", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=,;q", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_a_scraper_gets_the_format_that_it_asks_for(service: Service, accept: str, media_type: str) -> None:
    answer = httpx.get(f"{service.url}/metrics", headers={"Accept": accept}, timeout=PATIENCE_S).raise_for_status()
    assert answer.headers["content-type"] == media_type
    parse: Callable[[str], Iterable[object]] = open_metrics if "open" in media_type else text_string_to_metric_families
    assert len(list(parse(answer.text))) > 20


def test_with_tokens_only_one_for_metrics_of_all_jobs_gets_them(
    new_database: CloneDatabase, migrated_template: str
) -> None:
    url = new_database(migrated_template)
    made = [
        make_token([Scope.METRICS]),
        make_token([Scope.ADMIN]),
        make_token([Scope.METRICS], job_prefix="JB_"),
        make_token([Scope.READ, Scope.CAPTURE]),
    ]

    async def add() -> None:
        async with Database(url) as database:
            for _, token in made:
                await PostgresTokenStore(database).add(token)

    asyncio.run(add())
    with serving(url, JOBTAIL_ACCESS="tokens") as service:
        path = f"{service.url}/metrics"
        assert httpx.get(path).status_code == 401
        statuses = [httpx.get(path, headers={"Authorization": f"Bearer {text}"}).status_code for text, _ in made]
        assert statuses == [200, 200, 403, 403]
        scraper = {"Authorization": f"Bearer {made[0][0]}"}
        assert httpx.get(f"{service.url}/jobs/a/logs", headers=scraper).status_code == 403
        refused = httpx.post(service.graphql_url, json={"query": "{ jobs { totalCount } }"}, headers=scraper)
        assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_applications_of_one_process_count_for_themselves(database_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=database_url, data_dir=tmp_path, access=Access.OFF, channel_url="memory://")
    first, second = create_app(settings), create_app(settings)
    async with first.router.lifespan_context(first), second.router.lifespan_context(second):
        texts = []
        for app in (first, second):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://jobtail") as http:
                if app is first:
                    await http.get("/healthz")
                texts.append((await http.get("/metrics")).text)
    assert ['route="/healthz"' in text for text in texts] == [True, False]
    async with first.router.lifespan_context(first):
        pass  # a second time, which must not meet what the first left registered


NAME = re.compile(r"\bjobtail_[a-z_]+")


def names_of(service: Service) -> set[str]:
    text = httpx.get(f"{service.url}/metrics", timeout=PATIENCE_S).text
    named = set(re.findall(r"^# TYPE (jobtail_\w+)", text, re.MULTILINE))
    return {name for name in named if not name.endswith("_created")}


def test_the_page_tells_of_every_metric_with_its_labels_and_of_no_other(service: Service) -> None:
    named = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table("docs/operating.md", "## Metrics")}
    assert set(named) == names_of(service)
    with Api(service) as api:
        api.refusal("{ jobz }")
        api.ask("{ jobs { totalCount } }")
        api.ask("{ __schema { queryType { name } } }")
    found: dict[str, set[str]] = {name: set() for name in named}
    for series in scrape(service):
        name = re.sub(r"_(bucket|count|sum|created)$", "", series.partition("{")[0])
        if name in found:
            found[name] |= set(re.findall(r'(\w+)="', series)) - {"le"}
    assert found == named


COUNTED = re.compile(r"(?:increase|rate)\((jobtail_\w+_total)(?:\{([^}]*)\})?\[")
MATCHER = re.compile(r'(\w+)(=~?)"([^"]*)"')


def selected(series: str, name: str, matchers: str) -> bool:
    """Tell whether a selector of Prometheus takes a series."""
    if series.partition("{")[0] != name:
        return False
    labels = dict(re.findall(r'(\w+)="([^"]*)"', series))
    return all(
        re.fullmatch(value, labels.get(label, "")) if way == "=~" else labels.get(label, "") == value
        for label, way, value in MATCHER.findall(matchers)
    )


def test_what_alerts_count_is_there_before_the_first_error(new_database: CloneDatabase, migrated_template: str) -> None:
    rules = [row[1].replace("\\|", "|") for row in table("docs/operating.md", "### Alerts")]
    with serving(new_database(migrated_template)) as service:
        fresh = scrape(service)
    counted = [found for rule in rules for found in COUNTED.findall(rule)]
    assert len(counted) > 6
    for name, matchers in counted:
        values = [value for series, value in fresh.items() if selected(series, name, matchers)]
        assert values, (name, matchers)
        assert set(values) == {0.0}, (name, matchers)


def test_refused_calls_are_counted_by_route_and_status_and_refused_tokens_by_whatever_way(
    new_database: CloneDatabase, migrated_template: str
) -> None:
    text, token = make_token([Scope.METRICS])
    url = new_database(migrated_template)

    async def add() -> None:
        async with Database(url) as database:
            await PostgresTokenStore(database).add(token)

    asyncio.run(add())
    with serving(url, JOBTAIL_ACCESS="tokens") as service:
        for headers in ({}, {"Authorization": "Bearer jt_nobody_nothing"}):
            assert httpx.post(f"{service.url}/api/capture", headers=headers).status_code == 401
        good = {"Authorization": f"Bearer {text}"}
        assert httpx.post(f"{service.url}/api/capture", headers=good).status_code == 403
        answer = httpx.get(f"{service.url}/metrics", headers=good, timeout=PATIENCE_S).text
    assert 'jobtail_http_errors_total{route="/api/capture",status="401"} 2.0' in answer
    assert 'jobtail_http_errors_total{route="/api/capture",status="403"} 1.0' in answer
    assert "jobtail_tokens_refused_total 2.0" in answer


def test_the_rules_of_the_alerts_are_of_metrics_that_there_are(service: Service) -> None:
    rows = table("docs/operating.md", "### Alerts")
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for row in rows for name in NAME.findall(row[1])}
    assert len(rows) > 8
    assert used <= names_of(service)
