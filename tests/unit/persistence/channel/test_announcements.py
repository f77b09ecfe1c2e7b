"""The wire form of announcements, and the outbox that packs them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcements import Announcement
from domain.logs import TaskLog
from jobtail.events import JobStatus, LogLevel
from persistence.channel.announcement_queue import MESSAGES_OF_ROWS, AnnouncementQueue
from persistence.channel.announcement_wire import UnreadableMessage, decode, encode, least_size, message
from tests.announced import announcement, line

LIMIT = 7_999
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def announcements(draw: st.DrawFn) -> Announcement:
    job_id = draw(TEXTS)
    rows = draw(
        st.lists(
            st.builds(
                TaskLog,
                job_id=st.just(job_id),
                seq=st.integers(1, 2**53),
                execution_id=st.none() | TEXTS,
                stage=TEXTS,
                task_id=st.none() | TEXTS,
                timestamp=TIMES,
                recorded_at=TIMES,
                level=st.sampled_from(LogLevel),
                message=TEXTS,
                metadata=st.none() | st.dictionaries(TEXTS, VALUES, max_size=3),
            ),
            max_size=4,
        )
    )
    return Announcement(
        job_id=job_id,
        first_seq=draw(st.integers(1, 2**53)),
        last_seq=draw(st.integers(0, 2**53)),
        status=draw(st.sampled_from(JobStatus)),
        rows=tuple(rows),
    )


def sent(outbox: AnnouncementQueue) -> list[list[Announcement]]:
    """Empty the outbox: the announcements of each message."""
    messages = []
    while (text := outbox.take()) is not None:
        messages.append(decode(text))
    return messages


def filled(*waiting: Announcement, limit: int = LIMIT, capacity: int = 10_000) -> AnnouncementQueue:
    outbox = AnnouncementQueue(limit, capacity=capacity)
    for each in waiting:
        outbox.add(each)
    return outbox


@given(st.lists(announcements(), max_size=3))
def test_what_is_written_is_read(written: list[Announcement]) -> None:
    assert decode(message([encode(each) for each in written])) == written


@given(announcements())
def test_the_least_size_is_never_more_than_the_size(written: Announcement) -> None:
    assert least_size(written.rows, limit=10**9) <= len(encode(written))


@given(st.lists(announcements(), max_size=8), st.integers(600, 2_000))
def test_no_message_is_longer_than_the_limit_and_every_job_is_named(written: list[Announcement], limit: int) -> None:
    outbox = filled(*written, limit=limit)
    texts = []
    while (text := outbox.take()) is not None:
        texts.append(text)
    assert all(len(text.encode()) <= limit for text in texts)
    assert {part.job_id for text in texts for part in decode(text)} == {each.job_id for each in written}
    assert len(outbox) == outbox.forgotten == 0


def test_times_are_utc_with_microseconds() -> None:
    east = timezone(timedelta(hours=2))
    row = replace(line(1), timestamp=datetime(2026, 11, 22, 22, 33, 58, 7, tzinfo=east))
    text = encode(announcement(row)).decode()
    assert '"2026-11-22T20:33:58.000007+00:00"' in text
    assert decode(message([text.encode()]))[0].rows[0].timestamp.tzinfo is UTC


def test_levels_are_numbers_and_statuses_their_values() -> None:
    head, row = orjson.loads(encode(announcement(line(1))))[:4], orjson.loads(encode(announcement(line(1))))[4][0]
    assert head == ["job-1", 1, 1, "RUNNING"]
    assert row[6] == 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "null",
        "7",
        "{}",
        "[]",
        "[2]",
        '[1,"job"]',
        '[1,["job",1,1,"RUNNING"]]',
        '[1,["job",1,1,"SLEEPING",[]]]',
        '[1,["job","1",1,"RUNNING",[]]]',
        '[1,[null,1,1,"RUNNING",[]]]',
        '[1,["job",1,1,"RUNNING",[[1]]]]',
        '[1,["job",1,1,"RUNNING",[null]]]',
        '[1,["job",1,1,"RUNNING",[[1,null,"s",null,"yesterday","2026-11-22T20:33:58+00:00",20,"m",null]]]]',
        '[1,["job",1,1,"RUNNING",[[1,null,"s",null,5,"2026-11-22T20:33:58+00:00",20,"m",null]]]]',
        "[" * 5_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_unreadable(text: str | bytes) -> None:
    with pytest.raises(UnreadableMessage):
        decode(text)


def test_announcements_that_wait_share_a_message_in_their_order() -> None:
    waiting = [announcement(line(1, job_id=f"job-{n}")) for n in range(5)]
    assert sent(filled(*waiting)) == [waiting]


def test_rows_of_one_job_are_not_merged_away() -> None:
    waiting = [announcement(line(1)), announcement(line(2), line(3))]
    assert sent(filled(*waiting)) == [waiting]


def test_ranges_of_a_job_without_rows_become_one() -> None:
    first = announcement(first=1, last=4)
    ended = replace(announcement(first=5, last=9), status=JobStatus.COMPLETED)
    other = announcement(job_id="job-2", first=1, last=2)
    assert sent(filled(first, other, ended)) == [[replace(ended, first_seq=1), other]]


def test_a_status_without_lines_does_not_shrink_a_range() -> None:
    ended = replace(announcement(first=5, last=4), status=JobStatus.FAILED)
    assert sent(filled(announcement(first=2, last=4), ended)) == [[replace(ended, first_seq=2)]]


def test_news_is_never_put_before_older_rows_of_its_job() -> None:
    early, rows = announcement(first=1, last=2), announcement(line(3))
    ended = replace(announcement(first=4, last=4), status=JobStatus.COMPLETED)
    assert sent(filled(early, rows, ended)) == [[early, rows, ended]]


def test_rows_that_do_not_fit_stay_behind() -> None:
    long = announcement(line(1, "x" * LIMIT), line(2))
    assert sent(filled(long)) == [[replace(long, rows=())]]


def test_bytes_count_not_characters() -> None:
    text = "\N{GRINNING FACE}" * (LIMIT // 4)
    assert len(text) < LIMIT / 2
    assert sent(filled(announcement(line(1, text)))) == [[announcement()]]


def test_a_message_may_be_as_long_as_the_limit_to_the_byte() -> None:
    def of(characters: int) -> Announcement:
        return announcement(line(1, "ä" * characters + "\N{GRINNING FACE}"))

    spare = LIMIT - len(message([encode(of(0))]).encode())
    exact = of(spare // 2)
    exact = announcement(replace(exact.rows[0], message=exact.rows[0].message + "x" * (spare % 2)))
    text = filled(exact).take()
    assert text is not None
    assert len(text.encode()) == LIMIT
    assert decode(text) == [exact]
    over = announcement(replace(exact.rows[0], message=exact.rows[0].message + "x"))
    assert sent(filled(over)) == [[replace(over, rows=())]]


def test_rows_that_need_not_be_encoded_are_not() -> None:
    class Untouchable(dict[str, Any]):
        """Metadata that orjson cannot hold, and that looking at the message does not reach."""

    rows = [line(1, "x" * LIMIT), *(replace(line(n), metadata=Untouchable(bad={1, 2})) for n in range(2, 500))]
    outbox = AnnouncementQueue(LIMIT)
    outbox.add(announcement(*rows))
    assert sent(outbox) == [[announcement(first=1, last=499)]]
    began = time.perf_counter()
    least_size(rows * 2_000, LIMIT)
    assert time.perf_counter() - began < 0.05


def test_metadata_that_json_cannot_hold_leaves_the_rows_behind() -> None:
    row = replace(line(1), metadata={"n": 2**70})
    assert sent(filled(announcement(row))) == [[announcement()]]


def test_any_mapping_is_metadata() -> None:
    row = replace(line(1), metadata=MappingProxyType({"a": MappingProxyType({"b": 1})}))
    assert sent(filled(announcement(row)))[0][0].rows[0].metadata == {"a": {"b": 1}}


def test_an_announcement_that_cannot_be_written_is_forgotten_and_the_next_is_sent() -> None:
    outbox = filled(announcement(job_id="\ud800"), announcement(job_id="job-2"))
    assert sent(outbox) == [[announcement(job_id="job-2")]]
    assert outbox.forgotten == 1


def test_the_oldest_are_forgotten_when_it_is_full() -> None:
    outbox = filled(*(announcement(job_id=f"job-{n}") for n in range(7)), capacity=5)
    assert len(outbox) == 5
    assert outbox.forgotten == 2
    assert [part.job_id for part in sent(outbox)[0]] == [f"job-{n}" for n in range(2, 7)]


def test_rows_that_wait_are_bounded_and_the_ranges_stay() -> None:
    rows = [announcement(line(n, "x" * 3_000)) for n in range(1, 1_001)]
    outbox = filled(*rows)
    assert len(outbox) < 3 * MESSAGES_OF_ROWS
    parts = [part for parts in sent(outbox) for part in parts]
    carried = [part for part in parts if part.rows]
    assert 0 < len(carried) < 3 * MESSAGES_OF_ROWS
    assert {seq for part in parts for seq in range(part.first_seq, part.last_seq + 1)} == set(range(1, 1_001))
    outbox.add(rows[0])
    assert sent(outbox) == [[rows[0]]], "what was sent must not count any more"


def test_a_message_leaves_what_does_not_fit_for_the_next() -> None:
    waiting = [announcement(line(1, "x" * 3_000, job_id=f"job-{n}")) for n in range(5)]
    assert [len(parts) for parts in sent(filled(*waiting))] == [2, 2, 1]
