"""`jobtail-server prune` as an operator runs it, and what clients of the service find afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import JOB_LOGS, Api, by_websocket
from tests.command import run
from tests.conftest import Service, connect, serving
from tests.processes import until

AGE = """
SELECT task_logs_ensure_week((now() - interval '100 days')::date + shift) FROM generate_series(-7, 7, 7) AS shift;
UPDATE task_logs SET recorded_at = recorded_at - interval '100 days';
UPDATE stored_batches SET recorded_at = recorded_at - interval '100 days';
UPDATE jobs SET first_recorded_at = first_recorded_at - interval '100 days'
"""
"""As if all lines that there are had been stored 100 days ago."""
JOB = """
query ($jobId: String!) {
  job(jobId: $jobId) {
    logsPrunedBefore lastSeq logCounts { total } failure { firstError { seq } }
    logs { totalCount nodes { seq } pageInfo { hasNextPage } }
    around: logs(around: 2, first: 4) { nodes { seq } }
    logHistogram { logCounts { total } }
  }
}
"""
PRUNE = ("prune", "--older-than", "95d", "--level", "debug=7d")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


async def grow_old(url: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(AGE)
    finally:
        await connection.close()


def job(api: Api) -> Any:
    return api.ask(JOB, jobId="JB_1")["job"]


def seqs(nodes: list[dict[str, int]]) -> list[int]:
    return [node["seq"] for node in nodes]


def error(message: str) -> dict[str, str]:
    return {"stage": "read_jd", "level": "ERROR", "message": message}


@pytest.fixture
def api(service: Service, database_url: str) -> Iterator[Api]:
    """A service with a job whose lines 1 to 3 are old, an error among them, and lines 4 and 5 are not."""
    with Api(service) as api:
        api.capture("JB_1", "one", error("two"), "three")
        asyncio.run(grow_old(database_url))
        api.capture("JB_1", "four", error("five"))
        yield api


def test_a_dry_run_tells_what_would_go_and_the_run_what_went(api: Api, database_url: str) -> None:
    dry = run(*PRUNE, "--dry-run", database_url=database_url)
    assert (dry.returncode, len(dry.stderr.splitlines())) == (0, 1)
    assert (seqs(job(api)["logs"]["nodes"]), job(api)["logsPrunedBefore"]) == ([1, 2, 3, 4, 5], None)
    real = run(*PRUNE, database_url=database_url)
    assert (real.returncode, len(real.stderr.splitlines())) == (0, 1)
    all_lines, debug, *went = real.stdout.splitlines()
    assert re.fullmatch(f"all lines stored before {TIME}", all_lines)
    assert re.fullmatch(f"debug and below stored before {TIME}", debug)
    assert [line.replace("would be ", "") for line in dry.stdout.splitlines()[2:]] == went
    counted = re.findall(r"dropped: (\d+) lines, [\d.]+ KiB on disk|(\d+) lines deleted", real.stdout)
    assert sum(int(week or rest) for week, rest in counted) == 3
    again = run(*PRUNE, database_url=database_url)
    assert again.stdout.splitlines()[2:] == ["0 lines deleted"]


def test_readers_find_what_is_left_and_that_something_was_pruned(api: Api, database_url: str) -> None:
    assert job(api)["failure"] == {"firstError": {"seq": 2}}
    assert run(*PRUNE, database_url=database_url).returncode == 0
    found = job(api)
    assert re.fullmatch(r"\d{4}-.*Z", found["logsPrunedBefore"])
    assert (found["lastSeq"], found["logCounts"]["total"], found["logs"]["totalCount"]) == (5, 5, 5)
    assert (seqs(found["logs"]["nodes"]), found["logs"]["pageInfo"]) == ([4, 5], {"hasNextPage": False})
    assert seqs(found["around"]["nodes"]) == [4, 5]
    assert found["failure"] == {"firstError": {"seq": 5}}
    assert sum(bucket["logCounts"]["total"] for bucket in found["logHistogram"]) == 2
    assert seqs(api.ask("{ logs { nodes { seq } } }")["logs"]["nodes"]) == [5, 4]
    whole = api.http.get(f"{api.service.url}/jobs/JB_1/logs", headers={"Accept": "text/plain"})
    assert [line.split()[-1] for line in whole.text.splitlines()] == ["four", "five"]
    assert api.capture("JB_1", "six") == (6, 6)


async def test_a_subscriber_behind_a_pruned_cursor_goes_on(service: Service, database_url: str) -> None:
    with Api(service) as api:
        await _follow_across_a_prune(api, database_url)


async def _follow_across_a_prune(api: Api, database_url: str) -> None:
    service = api.service
    await asyncio.to_thread(api.capture, "JB_1", *"abcd")
    async with by_websocket(service, JOB_LOGS, jobId="JB_1", last=2) as before:
        (first,) = await before.until(lambda event: event["caughtUp"])
        await grow_old(database_url)
        await asyncio.to_thread(api.capture, "JB_1", "e")
        assert (await asyncio.to_thread(run, *PRUNE, database_url=database_url)).returncode == 0
        for start in ({"afterSeq": 0}, {"afterSeq": 3}, {"after": first["endCursor"]}, {"last": 5}):
            async with by_websocket(service, JOB_LOGS, jobId="JB_1", **start) as events:
                assert seqs((await events.until(lambda event: event["caughtUp"]))[-1]["logs"]) == [5]
        await asyncio.to_thread(api.capture, "JB_1", "f")
        await asyncio.to_thread(api.finish, "JB_1")
        assert [seq for event in [first, *await before.rest()] for seq in seqs(event["logs"])] == [3, 4, 5, 6]


def test_the_service_prunes_what_its_settings_say(database_url: str) -> None:
    with serving(database_url) as service, Api(service) as api:
        api.capture("JB_1", "old")
        asyncio.run(grow_old(database_url))
        api.capture("JB_1", "new")
    with (
        serving(database_url, JOBTAIL_RETENTION="2w", JOBTAIL_RETENTION_LEVELS='{"debug": "1h"}') as service,
        Api(service) as api,
    ):
        asyncio.run(until(lambda: job(api)["logsPrunedBefore"]))
        assert seqs(job(api)["logs"]["nodes"]) == [2]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--older-than", "soon"), "the age 'soon' is no duration; give a number and one of m, h, d, w, such as 90d"),
        (
            ("--older-than", "9d", "--level", "debug"),
            "--level 'debug' must be a level and a duration, such as debug=7d",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(options: tuple[str, ...], line: str) -> None:
    refused = run("prune", *options)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"jobtail-server: {line}\n")


async def test_two_runs_at_a_time_are_one_too_many(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('jobtail_prune'))")
        refused = await asyncio.to_thread(run, *PRUNE, database_url=database_url)
    finally:
        await connection.close()
    assert refused.stderr.splitlines()[1:] == [
        "jobtail-server: another process is pruning this database: try again when it is done"
    ]
    assert refused.returncode == 1
