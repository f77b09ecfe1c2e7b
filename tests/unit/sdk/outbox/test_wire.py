"""Events as NDJSON: whatever they hold, each is one line of JSON that says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtail.events import (
    Event,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobStatus,
    Line,
    LogLevel,
    NumberedEvent,
    TaskChanged,
    TaskStatus,
)
from jobtail.outbox.wire import encode, rfc3339_at

AT = datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
SAID_AT = "2025-01-15T10:30:00.123456Z"


def written(event: Event, n: int = 7) -> dict[str, Any]:
    body = encode([NumberedEvent(n, event)])
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
    read: dict[str, Any] = json.loads(body)
    return read


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            JobStarted(
                job_id="J",
                handler_name="import",
                source="celery",
                execution_id="E",
                schedule_id="S",
                parent_job_id="P",
                metadata={"a": [1, None, True]},
                total=3,
                at=AT,
            ),
            {
                "type": "job.started",
                "handler_name": "import",
                "source": "celery",
                "execution_id": "E",
                "schedule_id": "S",
                "parent_job_id": "P",
                "metadata": {"a": [1, None, True]},
                "total": 3,
                "at": SAID_AT,
            },
        ),
        (JobStarted(job_id="J", handler_name="h"), {"type": "job.started", "handler_name": "h"}),
        (
            Line(
                job_id="J",
                message="hello",
                level=LogLevel.WARNING,
                stage="fetch",
                task_id="T",
                at=AT,
                metadata={"é": 1.5},
            ),
            {
                "type": "line",
                "message": "hello",
                "level": "WARNING",
                "stage": "fetch",
                "task_id": "T",
                "at": SAID_AT,
                "metadata": {"é": 1.5},
            },
        ),
        (Line(job_id="J", message=""), {"type": "line", "message": "", "level": "INFO"}),
        (JobProgressed(job_id="J", current=0), {"type": "progress", "current": 0}),
        (JobProgressed(job_id="J", current=1, total=2), {"type": "progress", "current": 1, "total": 2}),
        (
            TaskChanged(job_id="J", stage="s", task_id="T", status=TaskStatus.COMPLETED, name="N", result="ok", at=AT),
            {
                "type": "task",
                "stage": "s",
                "task_id": "T",
                "status": "COMPLETED",
                "name": "N",
                "result": "ok",
                "at": SAID_AT,
            },
        ),
        (
            JobFinished(job_id="J", status=JobStatus.FAILED, error="e", result="r", at=AT),
            {"type": "job.finished", "status": "FAILED", "error": "e", "result": "r", "at": SAID_AT},
        ),
    ],
)
def test_each_kind_is_written_as_the_contract_has_it(event: Event, fields: dict[str, Any]) -> None:
    assert written(event) == {"job_id": "J", "n": 7, **fields}


@given(st.text(st.characters(codec=None)), st.text(), st.one_of(st.none(), st.text()))
def test_any_text_comes_through_but_for_lone_surrogates(message: str, job_id: str, stage: str | None) -> None:
    read = written(Line(job_id=job_id, message=message, stage=stage))
    assert read["message"] == "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in message)
    assert read["job_id"] == job_id
    assert read.get("stage") == stage


def test_nul_is_an_escape_and_other_planes_are_plain() -> None:
    body = encode([NumberedEvent(1, Line(job_id="J", message="\x00 🚀 é \u2028"))])
    assert rb"\u0000" in body
    assert "🚀 é \u2028".encode() in body


def test_a_lone_surrogate_costs_itself_alone() -> None:
    lines = [Line(job_id="J", message="a\ud800b", stage="\udfff"), Line(job_id="J", message="ü")]
    read = [
        json.loads(line)
        for line in encode([NumberedEvent(n, line) for n, line in enumerate(lines, 1)]).split(b"\n")[:-1]
    ]
    assert [event["message"] for event in read] == ["a\ufffdb", "ü"]
    assert read[0]["stage"] == "\ufffd"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), SAID_AT),
        (datetime(2025, 1, 1, tzinfo=UTC), "2025-01-01T00:00:00.000000Z"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=3))), "0001-01-01T00:00:00.000000Z"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-3))), "9999-12-31T23:59:59.999999Z"),
        (datetime(2025, 1, 1).astimezone(UTC), None),
    ],
)
def test_times_are_written_in_utc_with_microseconds(at: datetime, said: str | None) -> None:
    assert written(Line(job_id="J", message="", at=at))["at"] == (
        said or at.isoformat(timespec="microseconds")[:26] + "Z"
    )


def test_a_time_without_an_offset_is_local() -> None:
    naive = datetime(2025, 6, 1, 12)  # noqa: DTZ001 - that is the point
    local = written(Line(job_id="J", message="", at=naive))["at"]
    assert datetime.fromisoformat(local) == naive.astimezone(UTC)
    for edge in (datetime.min, datetime.max):  # noqa: DTZ901
        assert written(Line(job_id="J", message="", at=edge))["at"].endswith("Z")


def test_metadata_that_json_cannot_say_is_shown() -> None:
    cycle: dict[str, Any] = {"nan": float("nan"), "at": AT, "bytes": b"\xff", "big": 10**5000}
    cycle["self"] = cycle
    read = written(Line(job_id="J", message="", metadata=cycle))["metadata"]
    assert read["nan"] == "NaN"
    assert read["at"] == SAID_AT
    assert read["self"] == "<cycle>"


def test_lines_of_several_jobs_and_places_keep_their_own() -> None:
    places = [("A", None, None), ("A", "s", None), ("A", None, "s"), ("B", "s", "t"), ("A", None, None)]
    lines = [
        NumberedEvent(n, Line(job_id=job_id, message="", stage=stage, task_id=task_id))
        for n, (job_id, stage, task_id) in enumerate(places, 1)
    ]
    read = [json.loads(line) for line in encode(lines).splitlines()]
    assert [(event["job_id"], event.get("stage"), event.get("task_id")) for event in read] == places
    assert [event["n"] for event in read] == [1, 2, 3, 4, 5]


def test_nothing_is_an_empty_body() -> None:
    assert encode([]) == b""


@given(st.lists(st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2025, 1, 1, 0, 0, 3))))  # noqa: DTZ001
def test_times_that_follow_each_other_are_written_as_each_alone(moments: list[datetime]) -> None:
    at = [moment.replace(tzinfo=UTC) for moment in moments]
    events = [NumberedEvent(n, Line(job_id="J", message="", at=moment)) for n, moment in enumerate(at, 1)]
    assert [json.loads(line)["at"] for line in encode(events).splitlines()] == [rfc3339_at(moment) for moment in at]
