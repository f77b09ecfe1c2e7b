"""Viewers of one job, however many: its lines are completed and encoded once for all who ask for the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from strawberry.types import ExecutionResult

from domain.live.tail_hub import TailHub
from domain.logs import TaskLog
from domain.recorder import Recorder
from graph import subscription
from graph.context import Context, Services
from graph.formats.json_fragment import JsonFragment, to_json
from graph.schema import schema
from graph.types.lines import LineRows
from jobtail.events import JobFinished, JobStatus, Line, LogLevel
from tests.announced import PATIENCE_S
from tests.fakes import Memory, MemoryChannel, MemoryJobStore, MemoryLogStore
from tests.processes import until

VIEWERS = 20
JOB_LOGS = """
subscription ($after: BigInt, $filter: LogFilter, $length: Int) {
  jobLogs(jobId: "job", afterSeq: $after, filter: $filter) {
    logs { seq level message(maxLength: $length) } endCursor caughtUp jobStatus
  }
}
"""


class Setting:
    def __init__(self) -> None:
        memory = Memory()
        self.channel = MemoryChannel()
        self.recorder = Recorder(MemoryLogStore(memory), self.channel)
        self.hub = TailHub(MemoryLogStore(memory), MemoryJobStore(memory))

    @property
    def readers(self) -> int:
        return sum(tail.readers for tail in self.hub.tails)

    async def say(self, *events: Line | JobFinished) -> None:
        await self.recorder.record_job("job", events)
        self.hub.hear(self.channel.announced[-1])

    def view(self, query: str = JOB_LOGS, **variables: Any) -> AsyncGenerator[ExecutionResult, None]:
        async def results() -> AsyncGenerator[ExecutionResult, None]:
            context = Context(cast("Services", SimpleNamespace(hub=self.hub)))
            async with aclosing(await schema.stream(query, variables, context_value=context)) as stream:
                async for result in stream:
                    yield cast("ExecutionResult", result)

        return results()


def lines(count: int, level: LogLevel = LogLevel.INFO) -> list[Line]:
    return [Line(job_id="job", message=f"line {n}", level=level) for n in range(count)]


def batch(result: ExecutionResult) -> Any:
    assert not result.errors
    assert isinstance(result.data, JsonFragment)
    return orjson.loads(result.data.json)["jobLogs"]


async def told(viewer: AsyncGenerator[ExecutionResult, None]) -> list[Any]:
    async with asyncio.timeout(PATIENCE_S):
        return [line for batch_ in [batch(result) async for result in viewer] for line in batch_["logs"]]


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seqs of all lines that are completed, in that order."""
    seqs: list[int] = []

    def counted(rows: Sequence[TaskLog]) -> LineRows:
        seqs.extend(row.seq for row in rows)
        return LineRows(rows)

    monkeypatch.setattr(subscription, "LineRows", counted)
    return seqs


@pytest.mark.parametrize("standing", [0, 1_700])
async def test_every_line_is_completed_once_however_many_watch(completed: list[int], standing: int) -> None:
    """Whether it comes while they watch or stands already, in the store, when they ask."""
    setting = Setting()
    if standing:
        await setting.say(*lines(standing))
    watching = [asyncio.create_task(told(setting.view(after=0))) for _ in range(VIEWERS)]
    await until(lambda: setting.readers == VIEWERS and len(completed) == standing)
    for _ in range(30):
        await setting.say(*lines(3))
        for _ in range(VIEWERS):
            await asyncio.sleep(0)
    await setting.say(JobFinished(job_id="job", status=JobStatus.COMPLETED))
    seen = await asyncio.gather(*watching)
    assert all([line["seq"] for line in each] == list(range(1, standing + 91)) for each in seen)
    assert completed == list(range(1, standing + 91))


async def test_each_viewer_is_told_what_it_asks_for(completed: list[int]) -> None:
    setting = Setting()
    asked: list[dict[str, Any]] = [
        {"after": 0},
        {"after": 0, "length": 3},
        {"after": 0, "length": None},
        {"after": 0, "filter": {"minLevel": "ERROR"}},
        {"after": 0, "filter": {"metadata": {"score": 1}}},
        {"after": 0, "filter": {"metadata": {"score": True}}},
    ]
    watching = [asyncio.create_task(told(setting.view(**each))) for each in asked * 2]
    await until(lambda: setting.readers == len(watching))
    await setting.say(*lines(2), *lines(1, LogLevel.ERROR))
    await setting.say(Line(job_id="job", message="scored", metadata={"score": 1}))
    await setting.say(JobFinished(job_id="job", status=JobStatus.COMPLETED))
    everything, short, whole, errors, one, true = (await asyncio.gather(*watching))[: len(asked)]
    assert [line["message"] for line in everything] == ["line 0", "line 1", "line 0", "scored"]
    assert whole == everything
    assert [line["message"] for line in short] == ["lin", "lin", "lin", "sco"]
    assert [line["seq"] for line in errors] == [3]
    assert [line["seq"] for line in one] == [4]
    assert true == []
    assert len(completed) == 3 * 4 + 1 + 1, "of 12 viewers each two asked for the same"


async def test_what_goes_wrong_is_told_to_whoever_asked_for_it_and_to_nobody_else() -> None:
    setting = Setting()
    async with AsyncExitStack() as stack:
        wrong = [await stack.enter_async_context(aclosing(setting.view(after=0, length=-1))) for _ in range(2)]
        right = await stack.enter_async_context(aclosing(setting.view(after=0)))
        for viewer in (*wrong, right):
            assert batch(await anext(viewer))["caughtUp"]
        await setting.say(*lines(1))
        for viewer in wrong:
            result = await anext(viewer)
            assert result.errors is not None
            assert result.errors[0].path == ["jobLogs", "logs", 0, "message"]
            assert (result.errors[0].extensions or {})["code"] == "BAD_INPUT"
        assert [line["seq"] for line in batch(await anext(right))["logs"]] == [1]


async def test_nothing_is_kept_for_a_viewer_that_is_alone() -> None:
    setting = Setting()
    async with aclosing(setting.view(after=0)) as viewer:
        await anext(viewer)
        await setting.say(*lines(5))
        assert len(batch(await anext(viewer))["logs"]) == 5
        (tail,) = setting.hub.tails
        assert not tail._stretches._kept


def test_an_id_that_is_no_text_keeps_nothing_from_being_sent() -> None:
    message = {"id": "\ud800", "payload": {"data": JsonFragment(b'{"jobLogs":1}')}}
    assert json.loads(to_json(message)) == {"id": "\ud800", "payload": {"data": {"jobLogs": 1}}}
