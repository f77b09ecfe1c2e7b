"""Lines of NDJSON become events, and the first bad one is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.logs import EARLIEST, LATEST
from graph.capture import event_reader as ndjson
from graph.capture.event_reader import EventReader
from graph.errors import BadLine
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

AT = datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
LINE = {"type": "line", "job_id": "JB_1", "n": 1, "message": "m"}


def read(*pieces: bytes) -> tuple[NumberedEvent, ...]:
    reader = EventReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def event(**fields: Any) -> Event:
    (numbered,) = read(json.dumps({"job_id": "JB_1", "n": 1, **fields}).encode())
    return numbered.event


def line(**fields: Any) -> Line:
    read_line = event(**{**LINE, **fields})
    assert isinstance(read_line, Line)
    return read_line


def complaint(*pieces: bytes) -> BadLine:
    with pytest.raises(BadLine) as caught:
        read(*pieces)
    return caught.value


def test_every_type_of_event_is_read_with_all_of_its_fields() -> None:
    at = "2025-01-15T11:30:00.123456+01:00"
    assert event(
        type="job.started",
        handler_name="ingest",
        source="upload",
        execution_id="EX",
        schedule_id="SC",
        parent_job_id="JB_0",
        metadata={"a": [1]},
        total=3,
        at=at,
    ) == JobStarted(
        job_id="JB_1",
        handler_name="ingest",
        source="upload",
        execution_id="EX",
        schedule_id="SC",
        parent_job_id="JB_0",
        metadata={"a": [1]},
        total=3,
        at=AT,
    )
    assert line(stage="s", task_id="t", at=at, level="ERROR", metadata={}) == Line(
        job_id="JB_1", message="m", level=LogLevel.ERROR, stage="s", task_id="t", at=AT, metadata={}
    )
    assert event(type="progress", current=2, total=5) == JobProgressed(job_id="JB_1", current=2, total=5)
    assert event(type="task", stage="s", task_id="t", name="T", status="FAILED", result="r", at=at) == TaskChanged(
        job_id="JB_1", stage="s", task_id="t", name="T", status=TaskStatus.FAILED, result="r", at=AT
    )
    assert event(type="job.finished", status="CANCELLED", error="e", result="r", at=at) == JobFinished(
        job_id="JB_1", status=JobStatus.CANCELLED, error="e", result="r", at=AT
    )


def test_what_may_be_missing_may_be_null() -> None:
    nothing = dict.fromkeys(("stage", "task_id", "at", "level", "metadata"))
    assert line(**nothing) == line() == Line(job_id="JB_1", message="m")
    assert event(type="job.started", handler_name="h", total=None, metadata=None).metadata is None  # type: ignore[union-attr] # a start


def test_unknown_fields_are_for_later_versions() -> None:
    assert line(colour="red") == line()


def test_blank_lines_a_byte_order_mark_and_crlf_are_no_events() -> None:
    body = json.dumps(LINE).encode()
    assert read(b"\xef\xbb\xbf\n \r\n" + body + b"\r\n\n") == read(body) == read(b"\xef\xbb\xbf" + body)
    assert read() == read(b"") == read(b"\n\n") == ()


@pytest.mark.parametrize(
    ("written", "level"),
    [
        *[(level.name, level) for level in LogLevel],
        *[(level.name.lower(), level) for level in LogLevel],
        *[(int(level), level) for level in LogLevel],
        ("Warn", LogLevel.WARNING),
        ("FATAL", LogLevel.CRITICAL),
        (0, LogLevel.TRACE),
        (25, LogLevel.INFO),
        (1000, LogLevel.CRITICAL),
    ],
)
def test_a_level_is_a_name_in_any_case_or_a_number_of_python(written: str | int, level: LogLevel) -> None:
    assert line(level=written).level is level


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2025-01-15T10:30:00.123456Z", AT),
        ("2025-01-15t10:30:00.123456z", AT),
        ("2025-01-15T10:30:00.123456789Z", AT),
        ("2025-01-15T16:15:00.123456+05:45", AT),
        ("2025-01-15T10:30:00Z", AT.replace(microsecond=0)),
        ("0001-01-01T00:00:00+14:00", EARLIEST),
        ("9999-12-31T23:59:59.999999-10:00", LATEST),
    ],
)
def test_a_time_has_an_offset_and_becomes_utc(written: str, time: datetime) -> None:
    at = line(at=written).at
    assert at == time
    assert at is not None
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "lines"}, "type must be one of job.started, line, progress, task, job.finished, not 'lines'"),
        ({"type": None}, "type is missing"),
        ({"type": ["line"]}, "type must be one of"),
        ({"job_id": ""}, "job_id must be a string that is not empty, not ''"),
        ({"job_id": None}, "job_id is missing"),
        ({"job_id": 5}, "job_id must be a string that is not empty, not 5"),
        ({"job_id": ["a"]}, "job_id must be a string that is not empty, not list"),
        ({"n": None}, "n is missing"),
        ({"n": 0}, "n must be a whole number from 1 on, not 0"),
        ({"n": 1.0}, "n must be a whole number"),
        ({"n": True}, "n must be a whole number"),
        ({"n": "1"}, "n must be a whole number"),
        ({"n": 2**63}, "n must be a whole number"),
        ({"message": None}, "message is missing: it must be a string"),
        ({"message": {"a": 1}}, "message must be a string, not dict"),
        ({"message": 5}, "message must be a string, not 5"),
        ({"stage": 5}, "stage must be a string"),
        ({"task_id": 5}, "task_id must be a string"),
        ({"level": "LOUD"}, "level must be one of TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL or a number"),
        ({"level": True}, "level must be one of"),
        ({"level": 20.0}, "level must be one of"),
        ({"at": "yesterday"}, "at must be an RFC 3339 time with an offset such as 2025-01-15T10:30:00.123456Z"),
        ({"at": "2025-01-15T10:30:00"}, "at must be an RFC 3339 time"),
        ({"at": "2025-02-30T10:30:00Z"}, "at must be an RFC 3339 time"),
        ({"at": 1736937000}, "at must be an RFC 3339 time"),
        ({"metadata": [1]}, "metadata must be an object, not list"),
        ({"metadata": "a" * 100}, "metadata must be an object, not '" + "a" * 59 + "..."),
        ({"type": "job.started"}, "handler_name is missing"),
        ({"type": "job.started", "handler_name": "h", "source": 5}, "source must be a string"),
        ({"type": "job.started", "handler_name": "h", "total": 2**63}, "total must be a whole number within 64 bits"),
        ({"type": "job.started", "handler_name": "h", "metadata": 5}, "metadata must be an object, not 5"),
        ({"type": "progress"}, "current is missing"),
        ({"type": "progress", "current": 1.5}, "current must be a whole number within 64 bits, not 1.5"),
        ({"type": "task", "stage": "s", "status": "RUNNING"}, "task_id is missing"),
        ({"type": "task", "stage": "s", "task_id": "", "status": "RUNNING"}, "task_id must be a string that is not"),
        ({"type": "task", "task_id": "t", "status": "RUNNING"}, "stage is missing"),
        (
            {"type": "task", "stage": "s", "task_id": "t", "status": "QUEUED"},
            "status must be one of RUNNING, COMPLETED",
        ),
        ({"type": "job.finished"}, "status is missing: it must be one of COMPLETED, FAILED, CANCELLED"),
        ({"type": "job.finished", "status": "RUNNING"}, "status must be one of COMPLETED, FAILED, CANCELLED"),
        ({"type": "job.finished", "status": ["FAILED"]}, "status must be one of"),
    ],
)
def test_the_first_bad_line_is_named_with_what_is_wrong(fields: dict[str, Any], reason: str) -> None:
    good = json.dumps({**LINE, "job_id": "JB_2"}).encode()
    bad = json.dumps({**LINE, **fields}).encode()
    caught = complaint(good + b"\n\n" + bad + b"\n{\n")
    assert str(caught).startswith(f"line 3: {reason}")
    assert caught.line == 3


@pytest.mark.parametrize("bad", [b"{", b"nothing", b"{} {}", b"[" * 5000, b'{"type": "line"'])
def test_what_is_no_json_is_named(bad: bytes) -> None:
    assert str(complaint(bad)).startswith(("line 1: it is no JSON: ", "line 1: its JSON is nested too deep"))


@pytest.mark.parametrize("bad", [b"[]", b"5", b'"line"', b"null"])
def test_what_is_no_object_is_named(bad: bytes) -> None:
    assert str(complaint(bad)) == "line 1: it must be a JSON object"


def test_numbers_rise_within_a_job_and_may_leave_gaps() -> None:
    def body(*events: tuple[str, int]) -> bytes:
        return b"\n".join(json.dumps({**LINE, "job_id": job_id, "n": n}).encode() for job_id, n in events)

    assert [numbered.n for numbered in read(body(("a", 1), ("b", 1), ("a", 5), ("b", 2)))] == [1, 1, 5, 2]
    assert str(complaint(body(("a", 2), ("a", 2)))) == "line 2: n must rise within its job: 2 comes behind 2"
    assert complaint(body(("a", 2), ("b", 1), ("a", 1))).line == 3
    assert complaint(body(("a\ufffd", 2), ("a\ud800", 1))).line == 2, "both are one job as it is stored"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (rb'"a\ud800b"', "a\ud800b"),
        (rb'"\u0000"', "\x00"),
        (b'"\x00\x1b[31m"', "\x00\x1b[31m"),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
        ('"\u2028 \U0001f600"'.encode(), "\u2028 \U0001f600"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"one\r\ntwo"', "one\r\ntwo"),
        (b'""', ""),
    ],
)
def test_text_of_any_kind_comes_through(written: bytes, message: str) -> None:
    (numbered,) = read(b'{"type":"line","job_id":"JB_1","n":1,"message":' + written + b"}")
    assert isinstance(numbered.event, Line)
    assert numbered.event.message == message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("[[-9223372036854775809]]", [[-9223372036854775809]]),
        ("18446744073709551615", 18446744073709551615),
        ("1" * 5000, "1" * 5000),
        ("0.1", 0.1),
    ],
)
def test_numbers_of_any_size_come_through(written: str, value: Any) -> None:
    (numbered,) = read(f'{{"type":"line","job_id":"a","n":1,"message":"","metadata":{{"a":{written}}}}}'.encode())
    assert isinstance(numbered.event, Line)
    assert numbered.event.metadata == {"a": value}


def test_a_request_has_so_many_events_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_EVENTS", 2)
    body = b"\n".join(json.dumps({**LINE, "n": n}).encode() for n in (1, 2, 3))
    assert str(complaint(body)) == "line 3: a request takes 2 events at most: send the rest in another"


def test_what_is_not_read_yet_is_known() -> None:
    reader = EventReader()
    for piece, unread in ((b'{"type"', 7), (b":", 8), (b"5}\nab", 2)):
        if b"\n" in piece:
            with pytest.raises(BadLine):
                reader.feed(piece)
        else:
            reader.feed(piece)
        assert reader.unread_bytes == unread


@given(
    st.lists(st.text(st.characters(), max_size=20), min_size=1, max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
    st.booleans(),
)
def test_where_a_body_is_cut_makes_no_difference(messages: list[str], cuts: list[int], is_escaped: bool) -> None:
    body = b"\n".join(
        json.dumps({**LINE, "n": n, "message": message}, ensure_ascii=is_escaped).encode("utf-8", "surrogatepass")
        for n, message in enumerate(messages, 1)
    )
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    read_messages = [numbered.event.message for numbered in read(*pieces) if isinstance(numbered.event, Line)]
    if is_escaped:
        assert read_messages == [json.loads(json.dumps(message)) for message in messages]
    assert read(*pieces) == read(body)


def test_orjson_is_what_the_fallback_is_for() -> None:
    for refused in (b'"\\ud800"', b"NaN", b"1e999", b'"\xff"'):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(refused)
