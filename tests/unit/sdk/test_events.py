"""The vocabulary: levels by their number, and what a line says of lines that were given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobtail.events import Line, LogLevel, LossNotice

AT = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "level"), [(-3, "TRACE"), (5, "TRACE"), (19, "DEBUG"), (20, "INFO"), (35, "WARNING"), (99, "CRITICAL")]
)
def test_a_number_between_two_levels_is_the_lower_of_them(number: int, level: str) -> None:
    assert LogLevel.at_or_below(number) is LogLevel[level]


@pytest.mark.parametrize("lines", [1, 2, 5000])
def test_what_a_loss_notice_says_is_read_from_its_line(lines: int) -> None:
    notice = LossNotice(lines=lines, first_at=AT, last_at=AT + timedelta(microseconds=1))
    line = notice.line("JB_1", "parse")
    assert (line.job_id, line.stage, line.level) == ("JB_1", "parse", LogLevel.WARNING)
    assert LossNotice.of(line) == notice


@pytest.mark.parametrize(
    "changes",
    [
        {"message": "12 lines dropped by the parser"},
        {"metadata": None},
        {"metadata": {"dropped": "2", "from": "x", "until": "y"}},
        {"metadata": {"dropped": 2, "from": "yesterday", "until": "today"}},
        {"metadata": {"dropped": 0, "from": "2025-01-15T10:30:00Z", "until": "2025-01-15T10:30:00Z"}},
    ],
)
def test_a_line_of_the_job_that_looks_alike_is_no_loss_notice(changes: dict[str, object]) -> None:
    line = LossNotice(lines=2, first_at=AT, last_at=AT).line("JB_1", None)
    assert LossNotice.of(replace(line, **changes)) is None  # type: ignore[arg-type] # the fields of a line


def test_a_line_that_is_said_now_has_the_time_of_its_making() -> None:
    before = datetime.now(UTC)
    at = Line.now("JB_1", "x").at
    assert at is not None
    assert before <= at <= datetime.now(UTC)
