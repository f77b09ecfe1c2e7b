"""A job's values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.jobs import LogCounts, Progress, duration_ms
from jobtail.events import JobStatus, LogLevel

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
COUNTS = LogCounts(trace=1, debug=2, info=4, warning=8, error=16, critical=32)


@pytest.mark.parametrize(
    ("current", "total", "expected"),
    [(1, 3, 33.33), (0, 3, 0.0), (3, 3, 100.0), (9, 3, 100.0), (-1, 3, 0.0), (5, None, None), (5, 0, None)],
)
def test_a_percentage_is_between_nothing_and_everything(
    current: int, total: int | None, expected: float | None
) -> None:
    assert Progress(current, total).percentage == expected


def test_counts_add_up_by_level() -> None:
    assert COUNTS.total == 63
    assert COUNTS.failures == 48
    assert [COUNTS.of([level]) for level in LogLevel] == [1, 2, 4, 8, 16, 32]
    assert COUNTS.of([LogLevel.INFO, LogLevel.ERROR, LogLevel.INFO]) == 20
    assert COUNTS.of([]) == 0


def test_a_duration_is_in_whole_milliseconds_and_never_negative() -> None:
    assert duration_ms(AT, AT + timedelta(seconds=1, microseconds=2_600)) == 1003
    assert duration_ms(AT, AT - timedelta(seconds=1)) == 0
    assert duration_ms(None, AT) is None
    assert duration_ms(AT, None) is None


def test_an_end_is_one_of_three_statuses() -> None:
    ends = {status for status in JobStatus if status.is_final}
    assert ends == {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
