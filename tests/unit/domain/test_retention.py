"""Retention as an operator writes it: how long lines of which level are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.durations import read_duration
from domain.errors import InvalidInput
from domain.retention import Span, read_retention
from jobtail.events import LogLevel

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [("30m", DAY / 48), ("12h", DAY / 2), ("90d", 90 * DAY), ("2w", 14 * DAY), ("99999w", 7 * 99_999 * DAY)],
)
def test_durations_are_read(text: str, duration: timedelta) -> None:
    assert read_duration(text, "it") == duration


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90D", "1y", "100000d", "\u0669d", "90d\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^--expires .* is no duration; give a number and one of m, h, d, w"):
        read_duration(text, "--expires")


def test_without_levels_all_lines_have_one_age() -> None:
    assert list(read_retention("90d", {}).spans(NOW)) == [Span(levels=frozenset(LogLevel), before=NOW - 90 * DAY)]


def test_an_age_of_a_level_holds_for_the_lesser_ones_without_their_own() -> None:
    retention = read_retention("90d", {"warning": "30d", "DEBUG": "1w"})
    ages = {level.name: age.days for level, age in retention.ages.items()}
    assert ages == {"CRITICAL": 90, "ERROR": 90, "WARNING": 30, "INFO": 30, "DEBUG": 7, "TRACE": 7}
    low = {LogLevel.TRACE, LogLevel.DEBUG}
    assert list(retention.spans(NOW)) == [
        Span(levels=frozenset(LogLevel), before=NOW - 90 * DAY),
        Span(levels=frozenset({*low, LogLevel.INFO, LogLevel.WARNING}), before=NOW - 30 * DAY),
        Span(levels=frozenset(low), before=NOW - 7 * DAY),
    ]
    assert retention.longest == 90 * DAY


@pytest.mark.parametrize(
    ("older_than", "levels", "said"),
    [
        ("soon", {}, "the age 'soon' is no duration"),
        ("9d", {"debug": "soon"}, "the age of debug 'soon' is no duration"),
        ("9d", {"loud": "7d"}, "'loud' is no level; they are trace, debug, info, warning, error, critical"),
        ("9d", {"debug": "2w"}, "debug=2w is longer than 9d, and a level cannot be kept for longer than graver ones"),
        ("90d", {"debug": "30d", "info": "7d"}, "debug=30d is longer than 7d, and a level cannot be kept for longer"),
    ],
)
def test_what_cannot_be_is_refused(older_than: str, levels: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        read_retention(older_than, levels)
