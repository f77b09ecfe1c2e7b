"""The outbox against a service that fails in every way: each line arrives once, in order, or is counted in the log."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobtail.events import Batch, JobFinished, JobStarted, JobStatus, Line, NumberedEvent
from jobtail.outbox.address import Proxy
from jobtail.outbox.outbox import Outbox
from jobtail.outbox.queue import JOINED_BYTES, WINDOW_BATCHES
from jobtail.outbox.spool import Spool, SpoolUnavailable
from jobtail.outbox.transport import HttpTransport
from jobtail.sink import BatchRejected, SinkUnavailable
from tests.conftest import ROOT
from tests.model_service import AWAY, OK, PATIENCE_S, Answer, ModelService, model_service, refusal, wait_until

JOB = "job-of-the-outbox"
AT = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
DROPPED = re.compile(r"(\d+) lines? dropped between \S+ and \S+")


@pytest.fixture
def service() -> Iterator[ModelService]:
    with model_service() as running:
        yield running


APART = JOINED_BYTES // 2 // 10 + 1
"""Lines of this size make batches that are sent one by one."""


@contextmanager
def outbox_to(service: ModelService, directory: Path | None, *, max_bytes: int = 1 << 30) -> Iterator[Outbox]:
    spool = None if directory is None else Spool(directory, service.url, max_bytes)
    outbox = Outbox(HttpTransport(service.url), spool)
    try:
        yield outbox
    finally:
        outbox.close()


class Worker:
    """Makes numbered batches of lines that say their number."""

    def __init__(self, outbox: Outbox, *, job_id: str = JOB, name: str = "line", size: int = 0) -> None:
        self.writer_id: UUID = uuid4()
        self.said: list[str] = []
        self._outbox = outbox
        self._job_id = job_id
        self._name = name
        self._padding = "." * size
        self._n = 0

    def say(self, batches: int = 1, lines: int = 10) -> None:
        for _ in range(batches):
            events = []
            for _ in range(lines):
                self._n += 1
                message = f"{self._name} {self._n}{self._padding}"
                self.said.append(message)
                events.append(NumberedEvent(self._n, Line(job_id=self._job_id, message=message, at=AT, stage="s")))
            self._outbox.send(Batch(self.writer_id, tuple(events)))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "jobtail"]


def assert_sum(outbox: Outbox, said: int) -> None:
    stats = outbox.stats()
    assert stats.sent + stats.spooled + stats.waiting + stats.dropped == said, stats


def test_what_is_sent_is_stored_once_and_in_order(service: ModelService, tmp_path: Path) -> None:
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=50)
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == worker.said
        assert outbox.stats().sent == len(worker.said)
        assert service.headers[0]["Jobtail-Writer"] == str(worker.writer_id)
        assert service.headers[0]["Content-Type"] == "application/x-ndjson"


def test_a_flush_holds_to_its_deadline_while_the_disk_holds_the_queue(service: ModelService, tmp_path: Path) -> None:
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say()
        assert outbox.flush(PATIENCE_S)
        held, freed = threading.Event(), threading.Event()

        def hold() -> None:
            with outbox._queue.changed:
                held.set()
                freed.wait(PATIENCE_S)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(PATIENCE_S)
        began = time.monotonic()
        assert not outbox.flush(0.05)
        assert time.monotonic() - began < PATIENCE_S / 2
        freed.set()
        holder.join(PATIENCE_S)


def test_no_line_of_the_library_that_posts_is_captured(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with outbox_to(service, tmp_path) as outbox:
        outbox._transport.renew()
        Worker(outbox).say()
        assert outbox.flush(PATIENCE_S)
    here = threading.current_thread().name
    assert [record.getMessage() for record in caplog.records if record.threadName == here] == []


def test_batches_that_wait_in_memory_go_out_together(service: ModelService) -> None:
    released = threading.Event()
    service.script.append(Answer(after=released))
    with outbox_to(service, None) as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: service.posts)
        worker.say(batches=50)
        released.set()
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == worker.said
        assert len(service.posts) == 2
        assert_sum(outbox, 510)


def test_a_quick_service_leaves_the_disk_alone(service: ModelService, tmp_path: Path) -> None:
    with outbox_to(service, tmp_path / "spool") as outbox:
        worker = Worker(outbox)
        for _ in range(20):
            worker.say()
            assert outbox.flush(PATIENCE_S)
        assert not (tmp_path / "spool").exists()


def test_lines_of_an_outage_are_on_disk_and_come_in_order_afterwards(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        assert outbox.flush(PATIENCE_S)
        service.stop()
        worker.say(batches=100)
        began = time.monotonic()
        assert not outbox.flush(PATIENCE_S)
        assert time.monotonic() - began < 5, "a failed attempt ends the flush"
        worker.say(batches=100)
        assert outbox.stats().spooled == 2_000
        assert outbox.stats().waiting == 0
        service.start()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said
        assert len(service.posts) < 50, "a backlog goes in larger posts"
        assert outbox.stats().spooled == 0
        assert_sum(outbox, len(worker.said))
    said = warnings_of(caplog)
    assert len(said) == 2, said
    assert str(tmp_path) in said[0]
    assert "can send again" in said[1]


def test_a_named_pause_is_kept_though_somebody_waits(service: ModelService, tmp_path: Path) -> None:
    service.script.append(Answer(status=503, body=AWAY.body, headers={"Retry-After": "1"}))
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: service.posts)
        began = time.monotonic()
        assert not outbox.flush(0.2)
        assert time.monotonic() - began < 0.3
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.came_at[1] - service.came_at[0] >= 1
        assert service.lines_of(JOB) == worker.said


def test_a_flush_does_not_wait_for_a_pause_that_outlasts_it(service: ModelService, tmp_path: Path) -> None:
    service.script.append(Answer(status=503, body=AWAY.body, headers={"Retry-After": "60"}))
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say()
        wait_until(lambda: outbox._dispatcher.attempts.named_pause_until > 0)
        began = time.monotonic()
        assert not outbox.flush(10)
        assert time.monotonic() - began < 1
        assert outbox.stats().spooled == 10


def test_a_pause_that_nobody_named_ends_when_somebody_waits(service: ModelService, tmp_path: Path) -> None:
    service.script.extend([AWAY] * 12)
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        flushes = 0
        began = time.monotonic()
        while not outbox.flush(PATIENCE_S):
            flushes += 1
            assert flushes < 50
        assert time.monotonic() - began < 3, "twelve pauses would take half a minute"
        assert service.lines_of(JOB) == worker.said


@pytest.mark.parametrize("names_line", [True, False])
def test_an_event_that_is_refused_is_replaced_by_a_notice(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture, names_line: bool
) -> None:
    def judge(events: list[dict[str, Any]]) -> Answer:
        bad = [at for at, event in enumerate(events, 1) if re.fullmatch("line (7|23|24)", event["message"])]
        return refusal(bad[0] if names_line else None) if bad else OK

    service.judge = judge
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=5)
        assert outbox.flush(PATIENCE_S)
        lines = service.lines_of(JOB)
        notices = [line for line in lines if "could not be stored" in line]
        assert notices == ["an event of kind Line could not be stored and was dropped: it is bad"] * 3
        assert [line for line in lines if line not in notices] == [
            line for line in worker.said if line not in {"line 7", "line 23", "line 24"}
        ]
        assert [event["n"] for _, event in service.stored] == list(range(1, 51)), "each stands in its place"
        assert outbox.stats().dropped == 3
        assert_sum(outbox, 50)
    assert 1 <= len(warnings_of(caplog)) <= 3, "one a post, however the batches went out together"


def test_a_refused_event_of_a_backlog_costs_itself_alone(service: ModelService, tmp_path: Path) -> None:
    service.stop()
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=30)
        assert not outbox.flush(PATIENCE_S)
        service.judge = lambda events: refusal(None) if any(e["message"] == "line 155" for e in events) else OK
        service.start()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        lines = service.lines_of(JOB)
        assert len(lines) == 300
        assert [line for line in lines if "dropped" not in line] == [s for s in worker.said if s != "line 155"]
        assert outbox.stats().dropped == 1
        assert_sum(outbox, 300)


@pytest.mark.parametrize("answer", [refusal(1), refusal(None), refusal(99), Answer(status=413, body=b"<html>")])
def test_a_service_that_refuses_everything_is_not_asked_for_ever(
    service: ModelService, tmp_path: Path, answer: Answer
) -> None:
    service.judge = lambda events: answer
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=3)
        assert outbox.flush(PATIENCE_S)
        assert outbox.stats().dropped == 30
        assert len(service.posts) <= 3 * 10 * 4
        service.judge = lambda events: OK
        worker.say()
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == worker.said[30:]


def test_a_notice_that_is_refused_too_is_left_out(service: ModelService, tmp_path: Path) -> None:
    service.judge = lambda events: refusal(3) if any(event["n"] == 3 for event in events) else OK
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == [said for said in worker.said if said != "line 3"]
        assert (outbox.stats().sent, outbox.stats().dropped) == (9, 1)


def test_an_outage_in_the_middle_of_mending_repeats_no_loss(service: ModelService, tmp_path: Path) -> None:
    service.script.extend([refusal(3), AWAY, refusal(5), AWAY])
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert outbox.stats().dropped == 2
        assert_sum(outbox, 10)
        assert [line for line in service.lines_of(JOB) if "could not" not in line] == [
            s for s in worker.said if s not in {"line 3", "line 5"}
        ]


def test_a_hanging_service_has_lines_on_disk_within_a_second(service: ModelService, tmp_path: Path) -> None:
    released = threading.Event()
    service.script.append(Answer(after=released))
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        began = time.monotonic()
        worker.say(batches=3)
        wait_until(lambda: outbox.stats().spooled == 30)
        assert time.monotonic() - began < 1
        released.set()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said
        assert_sum(outbox, 30)


def test_a_service_that_takes_its_time_is_no_failure(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()
    service.script.extend([Answer(after=released), Answer(after=released)])
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: len(service.posts) == 2, patience_s=5)
        released.set()
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == worker.said
    assert warnings_of(caplog) == []


def test_a_late_answer_without_a_writable_spool_gets_its_time(service: ModelService, tmp_path: Path) -> None:
    released = threading.Event()
    service.script.extend([Answer(after=released), Answer(after=released)])
    (tmp_path / "file").touch()
    with outbox_to(service, tmp_path / "file" / "spool") as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: len(service.posts) == 2, patience_s=5)
        threading.Timer(0.7, released.set).start()
        assert outbox.flush(PATIENCE_S)
        assert len(service.posts) == 2, "the second attempt is not cut short"
        assert service.lines_of(JOB) == worker.said


def test_a_hanging_look_up_of_the_name_has_lines_on_disk_within_a_second(
    service: ModelService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    with outbox_to(service, tmp_path) as outbox:
        ask = outbox._transport.post

        def hang(*args: Any, **options: Any) -> None:
            released.wait(PATIENCE_S)
            ask(*args, **options)

        monkeypatch.setattr(outbox._transport, "post", hang)
        worker = Worker(outbox)
        began = time.monotonic()
        worker.say()
        wait_until(lambda: outbox.stats().spooled == 10)
        assert time.monotonic() - began < 1
        worker.say()
        released.set()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said


@pytest.mark.parametrize(
    "fault",
    [
        Answer(is_cut=True),
        Answer(is_cut=True, is_stored=False),
        Answer(times=2),
        Answer(status=500, body=b"<html>", is_stored=True),
        Answer(status=502, body=b"", is_stored=True),
        Answer(status=429, body=b"{}", headers={"Retry-After": "0"}),
        Answer(body=b"<html>a login page</html>", is_stored=False),
        Answer(body=b"x" * 200_000, is_stored=False),
    ],
)
def test_whatever_an_answer_becomes_each_line_is_stored_once(
    service: ModelService, tmp_path: Path, fault: Answer
) -> None:
    service.script.extend([fault] * 5)
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=10)
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said
        assert_sum(outbox, 100)


def test_a_kept_connection_that_the_service_closed_is_no_failure(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        for _ in range(3):
            worker.say()
            assert outbox.flush(PATIENCE_S)
            service.stop()
            service.start()
        assert service.lines_of(JOB) == worker.said
    assert warnings_of(caplog) == []


def test_a_connection_that_breaks_once_is_made_again_at_once(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.script.append(Answer(is_cut=True))
    with outbox_to(service, tmp_path / "spool") as outbox:
        worker = Worker(outbox)
        worker.say()
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of(JOB) == worker.said
        assert service.skipped == 10
    assert warnings_of(caplog) == []


def test_without_a_spool_the_writer_keeps_what_finds_no_room(service: ModelService) -> None:
    service.stop()
    with outbox_to(service, None) as outbox:
        worker = Worker(outbox, size=APART)
        worker.say(batches=WINDOW_BATCHES)
        with pytest.raises(SinkUnavailable):
            worker.say()
        assert not outbox.flush(PATIENCE_S)
        service.start()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said[:40]
        assert outbox.stats().sent == 40


def test_a_spool_that_cannot_be_written_costs_no_line_while_the_service_is_there(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("this is no directory")
    with outbox_to(service, in_the_way / "spool") as outbox:
        worker = Worker(outbox, size=APART)
        worker.say()
        assert outbox.flush(PATIENCE_S)
        service.stop()
        with pytest.raises(SinkUnavailable):
            worker.say(batches=WINDOW_BATCHES + 1)
        service.start()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said[:-10]
    assert len([said for said in warnings_of(caplog) if "in memory only" in said]) == 1


def test_a_row_that_cannot_be_removed_is_not_sent_for_ever(
    service: ModelService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.stop()
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=20)
        assert not outbox.flush(PATIENCE_S)

        def refuse(*args: Any) -> None:
            raise SpoolUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(outbox._queue._spool, "remove", refuse)
            service.start()
            wait_until(lambda: outbox.flush(PATIENCE_S))
            assert service.lines_of(JOB) == worker.said
            assert service.skipped == 0
        worker.say(batches=10)
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from jobtail.events import Batch, Line, NumberedEvent
from jobtail.outbox.transport import HttpTransport
from jobtail.outbox.outbox import Outbox
from jobtail.outbox.spool import Spool

url, directory, job_id, name, writer, lines = sys.argv[1:]
outbox = Outbox(HttpTransport(url), Spool(directory, url, 1 << 30))
n = 0
while n < int(lines):
    events = []
    for _ in range(10):
        n += 1
        events.append(NumberedEvent(n, Line(job_id=job_id, message=f"{name} {n}")))
    outbox.send(Batch(UUID(writer), tuple(events)))
print("said", flush=True)
if sys.stdin.readline():
    print(outbox.flush(20), flush=True)
    outbox.close()
"""


@contextmanager
def child(service: ModelService, directory: Path, name: str, *, lines: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, service.url, str(directory), JOB, name, str(uuid4()), str(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_next_process_sends_what_a_killed_one_left_and_before_its_own(
    service: ModelService, tmp_path: Path
) -> None:
    service.stop()
    with child(service, tmp_path, "dead", lines=500) as process:
        assert heard(process) == "said"
        spooled = Spool(tmp_path, service.url)
        wait_until(lambda: count_of(tmp_path) == 500)
        assert spooled.adopt() == [], "it is alive"
        process.kill()
        process.wait()
    service.start()
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say(batches=20)
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == [f"dead {n}" for n in range(1, 501)] + worker.said
        assert outbox.stats().adopted == 500
        assert_sum(outbox, 200)
        assert list(tmp_path.glob("*.lock")) in ([], [tmp_path / f"{worker.writer_id}.lock"])
    assert list(tmp_path.glob("*.lock")) == []


def count_of(directory: Path) -> int:
    """Count the events in a spool, by a connection of another program."""
    with closing(sqlite3.connect(directory / "spool.db")) as connection, suppress(sqlite3.OperationalError):
        return int(connection.execute("SELECT coalesce(sum(events), 0) FROM batches").fetchone()[0])
    return 0


def test_processes_side_by_side_share_a_spool(service: ModelService, tmp_path: Path) -> None:
    service.stop()
    names = ["first", "second", "third"]
    with (
        child(service, tmp_path, "first", lines=1_000) as first,
        child(service, tmp_path, "second", lines=1_000) as second,
        child(service, tmp_path, "third", lines=1_000) as third,
    ):
        processes = [first, second, third]
        assert [heard(process) for process in processes] == ["said"] * 3
        wait_until(lambda: count_of(tmp_path) == 3_000)
        third.kill()
        third.wait()
        service.start()
        for process in processes[:2]:
            assert process.stdin is not None
            process.stdin.write("flush\n")
            process.stdin.flush()
        # A flush ends at a failed attempt, and one may have been under way.
        assert {heard(process) for process in processes[:2]} <= {"True", "False"}
        for process in processes[:2]:
            process.wait(PATIENCE_S)
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox, name="fourth")
        worker.say()
        wait_until(lambda: outbox.flush(PATIENCE_S))
    for lines in service.lines_by_writer().values():
        name, count = lines[0].split()[0], len(lines)
        assert lines == [f"{name} {n}" for n in range(1, count + 1)]
    assert sorted(lines[0].split()[0] for lines in service.lines_by_writer().values()) == sorted([*names, "fourth"])
    assert len(service.lines_of(JOB)) == 3_010
    assert count_of(tmp_path) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_sends_its_own_and_the_parent_its_own(service: ModelService, tmp_path: Path) -> None:
    service.judge = lambda events: AWAY
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox, name="parent")
        worker.say(batches=30)
        assert not outbox.flush(PATIENCE_S)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                outbox.renew()
                own = Worker(outbox, name="child")
                own.say(batches=30)
                deadline = time.monotonic() + PATIENCE_S
                while not outbox.flush(PATIENCE_S) and time.monotonic() < deadline:
                    pass
                outbox.close()
                status = 0
            finally:
                os._exit(status)
        worker.say(batches=30)
        service.judge = lambda events: OK
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        by_writer = service.lines_by_writer()
        assert by_writer.pop(str(worker.writer_id)) == worker.said
        assert list(by_writer.values()) == [[f"child {n}" for n in range(1, 301)]]
        assert count_of(tmp_path) == 0


def test_beyond_its_bound_the_spool_gives_up_the_oldest_and_says_how_many(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.stop()
    max_bytes = 100_000
    with outbox_to(service, tmp_path, max_bytes=max_bytes) as outbox:
        worker = Worker(outbox, size=100)
        start = NumberedEvent(1, JobStarted(job_id=JOB, handler_name="h"))
        outbox.send(Batch(worker.writer_id, (start,)))
        worker._n = 1
        worker.say(batches=300)
        assert not outbox.flush(PATIENCE_S)
        end = NumberedEvent(worker._n + 1, JobFinished(job_id=JOB, status=JobStatus.COMPLETED))
        outbox.send(Batch(worker.writer_id, (end,)))
        assert_sum(outbox, 3_002)
        assert 0 < outbox.stats().dropped < 3_000
        service.start()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert_sum(outbox, 3_002)
    lines = service.lines_of(JOB)
    notices = [int(found[1]) for line in lines if (found := DROPPED.fullmatch(line))]
    arrived = [line for line in lines if not DROPPED.fullmatch(line)]
    assert len(arrived) + sum(notices) == 3_000
    assert outbox.stats().dropped == sum(notices)
    assert len(notices) <= 3
    assert len(arrived) * 200 > max_bytes / 2
    assert arrived == worker.said[-len(arrived) :], "the newest are kept"
    assert [event["type"] for _, event in service.stored if event["type"] != "line"] == ["job.started", "job.finished"]
    notice = next(event for _, event in service.stored if DROPPED.fullmatch(event.get("message", "")))
    assert notice["level"] == "WARNING"
    assert notice["stage"] == "s"
    assert notice["metadata"].keys() == {"dropped", "from", "until"}
    assert len([said for said in warnings_of(caplog) if "given up" in said]) == 1


def test_what_is_in_flight_is_not_counted_as_given_up(service: ModelService, tmp_path: Path) -> None:
    released = threading.Event()
    service.script.append(Answer(after=released))
    with outbox_to(service, tmp_path, max_bytes=2_000_000) as outbox:
        worker = Worker(outbox, size=APART)
        worker.say()
        wait_until(lambda: service.posts)
        worker.say(batches=9)
        released.set()
        wait_until(lambda: outbox.flush(PATIENCE_S))
        lines = service.lines_of(JOB)
        notices = [int(found[1]) for line in lines if (found := DROPPED.fullmatch(line))]
        assert lines[:10] == worker.said[:10]
        assert sum(notices) > 0
        assert len(lines) - len(notices) + sum(notices) == 100
        assert_sum(outbox, 100)


def test_a_close_leaves_no_file_open(service: ModelService, tmp_path: Path) -> None:
    released = threading.Event()
    with outbox_to(service, tmp_path) as outbox:
        service.script.append(Answer(after=released))
        worker = Worker(outbox)
        worker.say(batches=10)
        wait_until(lambda: service.posts)
    assert count_of(tmp_path) == 100
    released.set()
    wait_until(lambda: not outbox._dispatcher.is_running)
    wait_until(lambda: count_of(tmp_path) <= 90)
    opened = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert [path for path in opened if str(tmp_path) in path] == []


def test_what_is_left_at_the_close_is_sent_by_the_next_outbox(service: ModelService, tmp_path: Path) -> None:
    service.stop()
    with outbox_to(service, tmp_path) as outbox:
        left = Worker(outbox, name="left")
        left.say(batches=3)
    service.start()
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say()
        wait_until(lambda: outbox.flush(PATIENCE_S))
    assert service.lines_of(JOB) == left.said + worker.said
    with pytest.raises(SinkUnavailable):
        worker.say()


def test_rows_meant_for_another_service_are_left_alone(service: ModelService, tmp_path: Path) -> None:
    service.stop()
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say()
    with model_service() as other, outbox_to(other, tmp_path) as outbox:
        worker = Worker(outbox, name="other")
        worker.say()
        assert outbox.flush(PATIENCE_S)
        assert other.lines_of(JOB) == worker.said
    assert count_of(tmp_path) == 10


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=401, body=b'{"error": {"code": "UNAUTHENTICATED", "message": "who"}}'), "JOBTAIL_TOKEN"),
        (Answer(status=403, body=b""), "JOBTAIL_TOKEN"),
        (Answer(status=404, body=b"not here"), "there is no Jobtail service at http://127.0.0.1"),
        (Answer(status=405, body=b""), "there is no Jobtail service at"),
        (Answer(status=400, body=b"<html>"), "there is no Jobtail service at"),
        (Answer(body=b"<html>", is_stored=False), "there is no Jobtail service at"),
        (Answer(body=b"[1]", is_stored=False), "there is no Jobtail service at"),
        (Answer(status=302, body=b"", headers={"Location": "https://elsewhere/"}), "redirects to https://elsewhere/"),
        (AWAY, "the database is away"),
    ],
)
def test_an_answer_that_stores_nothing_says_what_to_do(service: ModelService, answer: Answer, says: str) -> None:
    service.script.append(answer)
    with pytest.raises(SinkUnavailable, match=re.escape(says)):
        HttpTransport(service.url, "secret").post(uuid4(), b"{}\n")
    assert service.headers[0]["Authorization"] == "Bearer secret"


def test_a_refusal_tells_its_line(service: ModelService) -> None:
    service.script.extend([refusal(3), refusal(None, status=422)])
    transport = HttpTransport(service.url)
    for line in (3, None):
        with pytest.raises(BatchRejected, match="it is bad") as caught:
            transport.post(uuid4(), b"{}\n")
        assert caught.value.line == line


def test_a_retry_after_is_seconds_or_a_date(service: ModelService) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for header, least, most in (("7", 7, 7), (in_a_minute, 50, 60), ("soon", None, None)):
        service.script.append(Answer(status=503, body=AWAY.body, headers={"Retry-After": header}))
        with pytest.raises(SinkUnavailable) as caught:
            HttpTransport(service.url).post(uuid4(), b"{}\n")
        found = caught.value.retry_after_s
        assert found is None if least is None or most is None else found is not None and least <= found <= most


def test_a_large_body_is_packed_but_not_within_the_machine(service: ModelService) -> None:
    body = b"".join(
        json.dumps({"type": "line", "job_id": JOB, "n": n, "message": "m"}).encode() + b"\n" for n in range(1, 999)
    )
    transport = HttpTransport(service.url)
    transport.post(uuid4(), body)
    transport._is_loopback = False
    transport.post(uuid4(), body)
    assert [headers.get("Content-Encoding") for headers in service.headers] == [None, "gzip"]
    assert service.posts[0] == service.posts[1]


@pytest.mark.parametrize(
    "url", ["", "jobtail", "ftp://u:word@host", "http://", "http://u:word@host", "http://host?x=word"]
)
def test_a_url_that_is_none_is_refused_with_advice_and_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="write it like http://") as raised:
        HttpTransport(url)
    assert "word" not in str(raised.value)


def test_a_url_has_one_form() -> None:
    assert HttpTransport("HTTP://LocalHost:1/").url == "http://localhost:1"
    assert HttpTransport("https://host/jobtail/api/capture").url == "https://host/jobtail"


def test_only_a_service_elsewhere_is_reached_by_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    assert HttpTransport("http://127.0.0.1:1")._proxy is None
    assert HttpTransport("http://[::1]:1")._proxy is None
    assert HttpTransport("http://jobtail.example")._proxy == Proxy("http://proxy.example:3128")


def test_the_proxy_is_asked_with_its_password_and_the_service_told_our_version(
    service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service stands in for the proxy: both are asked by POST."""
    monkeypatch.setenv("http_proxy", service.url.replace("http://", "user:p%40ss@"))
    monkeypatch.delenv("no_proxy", raising=False)
    outbox = Outbox(HttpTransport("http://jobtail.example"), None)
    Worker(outbox).say()
    assert outbox.flush(PATIENCE_S)
    outbox.close()
    (headers,) = service.headers
    assert headers["Host"] == "jobtail.example"
    assert headers["proxy-authorization"] == f"Basic {b64encode(b'user:p@ss').decode()}"
    assert re.fullmatch(rf"jobtail/{version('jobtail')} python/3\.\d+\.\d+\S*", headers["User-Agent"])


def test_a_defect_does_not_end_the_courier_and_is_logged_once(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "jobtail")
    with outbox_to(service, tmp_path) as outbox:
        post: Callable[..., None] = outbox._transport.post
        failures = iter([ZeroDivisionError(), MemoryError()])

        def fail(*args: Any, **options: Any) -> None:
            if (error := next(failures, None)) is not None:
                raise error
            post(*args, **options)

        outbox._transport.post = fail  # type: ignore[method-assign] # a defect that nobody thought of
        worker = Worker(outbox)
        worker.say(batches=3)
        wait_until(lambda: outbox.flush(PATIENCE_S))
        assert service.lines_of(JOB) == worker.said
    assert [record.message for record in caplog.records] == ["a defect in capture's dispatcher; it goes on"]
