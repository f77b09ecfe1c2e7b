"""The lines of all jobs, the newest first."""

from __future__ import annotations

from domain import cursors
from domain.filters import JobFilter, LogFilter
from domain.pages import window
from domain.requests import NewestKey, NewestLogRequest
from graph.context import Context
from graph.relay.connections import Connection
from graph.relay.list_cursors import newest_key
from graph.types.inputs import given
from graph.types.lines import LineRows, TaskLog

DESCRIPTION = (
    "The lines of all jobs, the newest first by when they were stored: those of one job by descending seq, and what is "
    "stored meanwhile comes before the first page. A page looks at a bounded number of lines. Where few of them match it "
    "ends early, even with no line at all, while hasNextPage is true: go on behind its endCursor. jobFilter by executionId, "
    "parentJobId or createdSince, levels of ERROR and above, and since narrow what is looked at; what was stored more than "
    "a day before since is left out. totalCount is known by filters of levels, stages and tasks; with another filter it is "
    "refused where too many lines would have to be read."
)


def newest_connection(
    context: Context, first: int | None, after: str | None, chosen: LogFilter, of_jobs: JobFilter
) -> Connection[TaskLog]:
    asked = window(first=given(first), after=newest_key(given(after)))
    request = NewestLogRequest(limit=asked.limit, after=asked.after, filter=chosen, job_filter=of_jobs)
    return Connection(
        load=lambda: context.loaders.newest_pages.load(request),
        count=lambda: context.services.newest.count(chosen, of_jobs),
        to_nodes=LineRows,
        to_cursor=lambda line: _cursor((line.recorded_at, line.job_id, line.seq)),
        to_stop=_cursor,
        to_time=lambda key: key[0],
    )


def _cursor(key: NewestKey) -> str:
    recorded_at, job_id, seq = key
    return cursors.encode("newest", recorded_at.isoformat(), job_id, seq)
