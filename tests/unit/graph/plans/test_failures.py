"""Failures: asked for once, and told as graphql-core tells them: null where that may be, and the path of the error."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from domain.errors import Unavailable
from domain.jobs import Job
from domain.logs import TaskLog
from domain.pages import Page
from domain.requests import LogPageRequest
from graph.context import Context, Services
from graph.schema import Schema, schema
from tests.graphql_property import JOB, LINE, UNPLANNED, Operation, answers


class Store:
    """A job whose lines cannot be read where a page of 13 is wanted."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, job_ids: Sequence[str]) -> dict[str, Job]:
        return {job_id: JOB for job_id in job_ids if job_id == "job"}

    async def stages(self, _: Sequence[str]) -> dict[str, Any]:
        return {}

    async def pages(self, requests: Sequence[LogPageRequest]) -> list[Page[TaskLog]]:
        self.asked += 1
        if any(request.window.limit == 13 for request in requests):
            raise Unavailable("away")
        is_there = [request.scope.job_id == "job" and request.scope.stage is None for request in requests]
        return [Page([LINE] if there else [], has_next=False, has_previous=False) for there in is_there]

    async def counts(self, requests: Sequence[Any]) -> list[int]:
        if any(request.filter.search == "slow" for request in requests):
            raise Unavailable("away")
        return [7 for _ in requests]

    @property
    def context(self) -> Context:
        tasks = SimpleNamespace(stages=self.stages)
        return Context(cast("Services", SimpleNamespace(jobs=self, logs=self, tasks=tasks)))


async def found(tested: Schema, text: str, variables: dict[str, Any]) -> tuple[Any, int]:
    store = Store()
    return await answers(tested, Operation(text, variables), store.context), store.asked


async def assert_alike(text: str, **variables: Any) -> tuple[Any, int]:
    planned, ordinary = await found(schema, text, variables), await found(UNPLANNED, text, variables)
    assert planned[0] == ordinary[0]
    return planned


async def test_a_page_whose_load_fails_is_loaded_once_and_told_with_its_path() -> None:
    text = '{ job(jobId: "job") { jobId logs(first: 13) { nodes { seq } pageInfo { hasNextPage } } } }'
    ((data, (error,)),), asked = await assert_alike(text)
    assert (data, error["path"], error["extensions"]["code"]) == (
        "{'job': None}",
        ["job", "logs", "nodes"],
        "UNAVAILABLE",
    )
    assert asked == 1


async def test_what_else_is_asked_for_is_answered() -> None:
    text = """{
      bad: job(jobId: "job") { jobId logs(filter: {search: "slow"}) { totalCount } }
      good: job(jobId: "job") { jobId logs { totalCount nodes { seq } } }
    }"""
    ((data, (error,)),), _ = await assert_alike(text)
    assert "'bad': None, 'good': {'jobId': 'job'" in data
    assert error["path"] == ["bad", "logs", "totalCount"]


@pytest.mark.parametrize(
    ("selected", "path"),
    [
        ('logs(after: "no cursor") { nodes { seq } }', ["job", "logs"]),
        ("logs { nodes { message(maxLength: -1) } }", ["job", "logs", "nodes", 0, "message"]),
        ("logs { edges { node { message(maxLength: $least) } } }", ["job", "logs", "edges", 0, "node", "message"]),
        ("logs(first: 1, last: 1) { totalCount }", ["job", "logs"]),
    ],
)
async def test_what_a_client_asks_for_wrongly_is_told_with_its_path(selected: str, path: list[Any]) -> None:
    declared = "query ($least: Int)" if "$least" in selected else ""
    text = f'{declared} {{ job(jobId: "job") {{ jobId {selected} }} }}'
    ((_, (error,)),), _ = await assert_alike(text, **({"least": -1} if declared else {}))
    assert (error["path"], error["extensions"]["code"]) == (path, "BAD_INPUT")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{ job(jobId: "none") { logs { nodes { seq } } } }', "{'job': None}"),
        ('{ job(jobId: "none") { logs { pageInfo { hasNextPage } } } }', "{'job': None}"),
        ('{ job(jobId: "none") { stage(name: "s") { logs { nodes { seq } } } } }', "{'job': None}"),
        ('{ job(jobId: "job") { stage(name: "s") { logs { nodes { seq } } } } }', "{'job': {'stage': None}}"),
        (
            '{ job(jobId: "none") { a: logs { nodes { seq } } b: stage(name: "s") { logs { edges { cursor } } } } }',
            "{'job': None}",
        ),
    ],
)
async def test_lines_of_what_is_not_there_are_no_error(text: str, data: str) -> None:
    assert (await assert_alike(text))[0] == [(data, [])]


async def test_a_defect_ends_the_operation_and_is_not_hidden_by_another_try() -> None:
    class Defect(Store):
        async def pages(self, requests: Sequence[LogPageRequest]) -> list[Page[TaskLog]]:
            self.asked += 1
            raise RuntimeError(requests)

    store = Defect()
    ((data, (error,)),) = await answers(
        schema, Operation('{ job(jobId: "job") { logs { nodes { seq } } } }', {}), store.context
    )
    assert (data, error["extensions"]["code"], store.asked) == ("{'job': None}", "INTERNAL", 1)
