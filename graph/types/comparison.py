"""A job beside another run: messages that are new, missing or more frequent, and how long the stages took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self

import strawberry
from strawberry import UNSET

from domain import jobs
from domain.access import Scope
from domain.analysis import comparison
from domain.analysis.message_profiles import MessageProfile
from domain.errors import NotFound
from domain.filters import EVERYTHING, JobFilter
from domain.jobs import UNKNOWN_HANDLER
from domain.logs import storable_label
from domain.pages import Window, window
from domain.requests import JobPageRequest, LogPageRequest, LogScope
from domain.stages.stage_status import Stage, stages_of
from graph.context import Info
from graph.formats.scalars import BigInt
from graph.types.inputs import given
from graph.types.lines import TaskLog
from graph.types.log_counts import LogCounts, duration
from graph.types.stages import StageStatus
from jobtail.events import JobStatus, LogLevel

MESSAGES = 50

Most = Annotated[int | None, strawberry.argument(description="At most this many of them.")]


@strawberry.type(description="A message that one of two runs says more than the other.")
class MessageChange:
    template: str = strawberry.field(
        description="The message with `<*>` for what varies from run to run: numbers, dates, ids and quoted texts. A long one "
        "is clipped in the middle."
    )
    level: LogLevel = strawberry.field(description="How grave it is.")
    stage: str = strawberry.field(description="The stage that says it.")
    count: BigInt = strawberry.field(description="How many lines of this job say it.")
    with_count: BigInt = strawberry.field(description="How many lines of the other run say it.")
    change: strawberry.Private[comparison.MessageChange]

    @classmethod
    def from_domain(cls, change: comparison.MessageChange) -> Self:
        level, stage, template = change.fingerprint
        return cls(
            template=template,
            level=level,
            stage=stage,
            count=BigInt(change.count),
            with_count=BigInt(change.with_count),
            change=change,
        )

    @strawberry.field(
        description="The first line that says it: of this job or, where it is missing, of the other run. Null if the line is "
        "gone."
    )
    async def example(self, info: Info) -> TaskLog | None:
        job_id, seq = self.change.example
        asked: Window[int] = Window(limit=1, after=seq - 1, before=seq + 1)
        request = LogPageRequest(scope=LogScope(job_id=job_id), window=asked, filter=EVERYTHING)
        page = await info.context.loaders.log_pages.load(request)
        return next(map(TaskLog.from_domain, page.items), None)


@strawberry.type(description="A stage of two runs. What is null belongs to a run that has no such stage.")
class StageComparison:
    name: str = strawberry.field(description="The stage's name.")
    status: StageStatus | None = strawberry.field(description="How it stands in this job.")
    with_status: StageStatus | None = strawberry.field(description="How it stands in the other run.")
    duration_ms: BigInt | None = strawberry.field(description="How long it took in this job; null while it runs, too.")
    with_duration_ms: BigInt | None = strawberry.field(description="How long it took in the other run.")
    log_counts: LogCounts | None = strawberry.field(description="Its lines in this job.")
    with_log_counts: LogCounts | None = strawberry.field(description="Its lines in the other run.")

    @classmethod
    def from_domain(cls, pair: comparison.StagePair) -> Self:
        (status, took, counts), (with_status, with_took, with_counts) = _shown(pair.own), _shown(pair.other)
        return cls(
            name=pair.name,
            status=status,
            with_status=with_status,
            duration_ms=took,
            with_duration_ms=with_took,
            log_counts=counts,
            with_log_counts=with_counts,
        )


def _shown(stage: Stage | None) -> tuple[StageStatus | None, BigInt | None, LogCounts | None]:
    if stage is None:
        return None, None, None
    record = stage.record
    took = duration(record.started_at, stage.finished_at)
    return StageStatus(stage.status.value), took, LogCounts.from_domain(record.log_counts)


class Compared:
    """Both profiles, and what they differ in."""

    def __init__(self, own: MessageProfile, other: MessageProfile) -> None:
        self.own, self.other = own, other
        self.found = comparison.compared(own, other)


@strawberry.type(
    description="A job beside another run. Lines are the same message if level, stage and template are equal. Messages come "
    "the gravest first, then the most frequent."
)
class JobComparison:
    reason: str | None = strawberry.field(description="Why there is nothing to compare with; null where there is.")
    job: strawberry.Private[jobs.Job]
    other: strawberry.Private[jobs.Job | None]
    to_job: strawberry.Private[Callable[[jobs.Job], Any]]
    comparing: strawberry.Private[asyncio.Future[Compared] | None] = None

    def _compared(self, info: Info) -> asyncio.Future[Compared]:
        """Compare once for all fields that ask."""
        if self.comparing is None:
            self.comparing = asyncio.ensure_future(self._compare(info))
        return self.comparing

    async def _compare(self, info: Info) -> Compared:
        if self.other is None:
            nothing = MessageProfile(self.job.job_id, {}, lines=0, is_complete=True)
            return Compared(nothing, nothing)
        profile = info.context.services.profiles.profile
        own, other = await asyncio.gather(profile(self.job.job_id), profile(self.other.job_id))
        return Compared(own, other)

    @strawberry.field(
        name="with",
        description="The other run; null where there is none, which `reason` explains.",
        graphql_type=Annotated["Job", strawberry.lazy("graph.types.jobs")] | None,  # noqa: F821 - it has comparisons
    )
    def with_(self) -> Any:
        return None if self.other is None else self.to_job(self.other)

    @strawberry.field(
        description="Whether all lines of both were compared. If not, these were the first `comparedLines` and "
        "`withComparedLines`: the others are too many for some 8 s, with which a further look goes on, or say more than 5,000 "
        "different messages."
    )
    async def is_complete(self, info: Info) -> bool:
        compared = await self._compared(info)
        return compared.own.is_complete and compared.other.is_complete

    @strawberry.field(description="How many lines of this job were compared.")
    async def compared_lines(self, info: Info) -> BigInt:
        return BigInt((await self._compared(info)).own.lines)

    @strawberry.field(description="How many lines of the other run were compared.")
    async def with_compared_lines(self, info: Info) -> BigInt:
        return BigInt((await self._compared(info)).other.lines)

    @strawberry.field(description="Messages that the other run does not say.")
    async def new_messages(self, info: Info, first: Most = MESSAGES) -> list[MessageChange]:
        return _first((await self._compared(info)).found.new, first)

    @strawberry.field(description="How many those are in all.")
    async def new_count(self, info: Info) -> BigInt:
        return BigInt(len((await self._compared(info)).found.new))

    @strawberry.field(description="Messages that the other run alone says.")
    async def missing_messages(self, info: Info, first: Most = MESSAGES) -> list[MessageChange]:
        return _first((await self._compared(info)).found.missing, first)

    @strawberry.field(description="How many those are in all.")
    async def missing_count(self, info: Info) -> BigInt:
        return BigInt(len((await self._compared(info)).found.missing))

    @strawberry.field(
        description="Messages that both say, and this job at least twice as often, by three lines or more."
    )
    async def more_frequent(self, info: Info, first: Most = MESSAGES) -> list[MessageChange]:
        return _first((await self._compared(info)).found.more_frequent, first)

    @strawberry.field(description="How many those are in all.")
    async def more_frequent_count(self, info: Info) -> BigInt:
        return BigInt(len((await self._compared(info)).found.more_frequent))

    @strawberry.field(
        description="The stages of this job in order of first occurrence, then those that the other run alone has."
    )
    async def stages(self, info: Info) -> list[StageComparison]:
        if self.other is None:
            return []
        own, other = await asyncio.gather(_stages(info, self.job), _stages(info, self.other))
        return list(map(StageComparison.from_domain, comparison.stage_pairs(own, other)))


def _first(changes: Sequence[comparison.MessageChange], first: int | None) -> list[MessageChange]:
    return [MessageChange.from_domain(change) for change in changes[: window(first=first, default=MESSAGES).limit]]


async def _stages(info: Info, job: jobs.Job) -> list[Stage]:
    return stages_of(job, await info.context.loaders.stages.load(job.job_id))


async def resolve_compare(
    root: strawberry.Parent[Any],
    info: Info,
    with_: Annotated[
        str | None,
        strawberry.argument(
            name="with",
            description="The other run's jobId; left out, the last run of the same handler before this one that completed.",
        ),
    ] = UNSET,
) -> JobComparison | None:
    info.context.grant.require(Scope.READ)
    named = given(with_)
    if named is None:
        reason, other = await _last_completed(info, root.job)
        return JobComparison(reason=reason, job=root.job, other=other, to_job=type(root).from_domain)
    other = await info.context.loaders.jobs.load(storable_label(named))
    if other is None:
        raise NotFound("job", named)
    return JobComparison(reason=None, job=root.job, other=other, to_job=type(root).from_domain)


async def _last_completed(info: Info, job: jobs.Job) -> tuple[str | None, jobs.Job | None]:
    """Find the last run before that completed, or why there is none. A job known by its lines alone has no other runs."""
    if job.handler_name == UNKNOWN_HANDLER:
        return "nobody said what runs this job; name one to compare it with", None
    request = JobPageRequest(
        window=Window(limit=1, after=(job.created_at, job.job_id)),
        filter=JobFilter(statuses=frozenset({JobStatus.COMPLETED}), handler_names=frozenset({job.handler_name})),
    )
    page = await info.context.loaders.job_pages.load(request)
    if page.items:
        return None, page.items[0]
    return f"no run of {job.handler_name!r} before this one completed; name a job to compare it with", None
