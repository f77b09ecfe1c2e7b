"""The spool: whole batches in order on a real disk, between real processes, within its bound."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, JobStatus, Line, NumberedEvent
from jobtail.outbox.file_locks import FileLock
from jobtail.outbox.loss_notices import give_up
from jobtail.outbox.spool import EncodedBatch, Spool, SpoolUnavailable
from jobtail.outbox.wire import encode
from tests.conftest import ROOT
from tests.model_service import wait_until

URL = "http://127.0.0.1:1"
JOB = "job-of-the-spool"
AT = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path, URL)
    yield spool
    spool.close()


def encoded(writer_id: UUID, first_n: int, events: Sequence[Event]) -> EncodedBatch:
    numbered = [NumberedEvent(n, event) for n, event in enumerate(events, first_n)]
    return EncodedBatch(writer_id, first_n, first_n + len(events) - 1, len(events), encode(numbered))


def lines(writer_id: UUID, first_n: int, count: int, *, size: int = 100, job_id: str = JOB) -> EncodedBatch:
    said = [
        Line(job_id=job_id, message=f"{n} {'.' * size}", at=AT + timedelta(seconds=n), stage="s")
        for n in range(first_n, first_n + count)
    ]
    return encoded(writer_id, first_n, said)


def all_of(spool: Spool, writer_id: UUID) -> list[dict[str, Any]]:
    """Take all rows of a writer, as a dispatcher does."""
    found: list[dict[str, Any]] = []
    while rows := spool.head(writer_id, max_bytes=1 << 20):
        found += [json.loads(raw) for row in rows for raw in row.body.splitlines()]
        spool.remove(writer_id, rows[-1].id)
    return found


def notices(events: Sequence[dict[str, Any]]) -> list[int]:
    return [event["metadata"]["dropped"] for event in events if (event.get("metadata") or {}).get("dropped")]


def test_rows_come_back_in_order_and_as_they_were(spool: Spool) -> None:
    writer_id = uuid4()
    batches = [lines(writer_id, n * 10 + 1, 10) for n in range(30)]
    for each in batches:
        spool.append([each])
    assert b"".join(row.body for row in spool.head(writer_id, max_bytes=1 << 20)) == b"".join(p.body for p in batches)
    assert [row.body for row in spool.head(writer_id, max_bytes=0)] == [batches[0].body], "at least one"


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "spool"
    spool = Spool(directory, URL)
    spool.append([lines(uuid4(), 1, 1)])
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    spool.close()


def test_a_file_that_is_open_to_all_is_closed_before_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "spool.db").touch(mode=0o666)
    (tmp_path / "spool.db").chmod(0o666)
    spool = Spool(tmp_path, URL)
    spool.append([lines(uuid4(), 1, 1)])
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("spool.db", "spool.db-wal")} == {0o600}
    spool.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another account")
@pytest.mark.parametrize("is_of_others", ["directory", "file"])
def test_a_spool_of_another_account_is_not_used(is_of_others: str) -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    if is_of_others == "directory":
        os.chown(directory, 20_000, -1)
    else:
        (directory / "spool.db").touch()
        (directory / "spool.db").chmod(0o666)
    child = os.fork()
    if not child:
        os.setuid(30_000)
        try:
            Spool(directory, URL).append([lines(uuid4(), 1, 1)])
        except SpoolUnavailable as error:
            os._exit(3 if "belongs to another account" in str(error) else 2)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(directory)
    assert os.waitstatus_to_exitcode(status) == 3


def test_threads_share_a_spool(spool: Spool) -> None:
    def work(writer_id: UUID) -> None:
        for n in range(1, 100):
            spool.append([lines(writer_id, n, 1)])

    writers = [uuid4() for _ in range(4)]
    threads = [threading.Thread(target=work, args=(writer_id,)) for writer_id in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for writer_id in writers:
        assert [event["n"] for event in all_of(spool, writer_id)] == list(range(1, 100))


def test_rows_of_a_living_writer_are_nobody_elses(spool: Spool, tmp_path: Path) -> None:
    writer_id = uuid4()
    spool.append([lines(writer_id, 1, 1)])
    other = Spool(tmp_path, URL)
    assert other.adopt() == []
    spool.release(writer_id)
    assert other.adopt() == [writer_id]
    third = Spool(tmp_path, URL)
    assert third.adopt() == [], "one alone takes them over"
    other.close()
    assert third.adopt() == [writer_id]
    third.close()


def test_lock_files_of_the_dead_are_cleared_away(spool: Spool, tmp_path: Path) -> None:
    spool.append([lines(uuid4(), 1, 1)])
    (tmp_path / f"{uuid4()}.lock").touch()
    other = Spool(tmp_path, URL)
    assert other.adopt() == []
    assert len(list(tmp_path.glob("*.lock"))) == 1
    spool.close()
    assert list(tmp_path.glob("*.lock")) == []


def test_a_writer_waits_for_whoever_looks_whether_it_is_alive(spool: Spool, tmp_path: Path) -> None:
    writer_id = uuid4()
    lock = FileLock.take(tmp_path / f"{writer_id}.lock")
    assert lock is not None
    threading.Timer(0.05, lock.release).start()
    spool.append([lines(writer_id, 1, 1)])
    assert len(all_of(spool, writer_id)) == 1


def test_orphans_are_adopted_oldest_first(tmp_path: Path) -> None:
    writers = [uuid4() for _ in range(5)]
    for writer_id in writers:
        spool = Spool(tmp_path, URL)
        spool.append([lines(writer_id, 1, 1)])
        spool.close()
    spool = Spool(tmp_path, URL)
    assert spool.adopt() == writers
    spool.close()


def test_the_bound_holds_and_every_line_is_counted_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, URL, max_bytes=50_000)
    writer_id = uuid4()
    dropped = sum(spool.append([lines(writer_id, n * 10 + 1, 10)]).dropped for n in range(200))
    with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
        held, rows = connection.execute("SELECT sum(size), count(*) FROM batches").fetchone()
        assert held == connection.execute("SELECT bytes FROM held").fetchone()[0]
    assert 40_000 < held <= 50_000
    found = all_of(spool, writer_id)
    assert len(notices(found)) == 1, "remains are joined"
    assert notices(found) == [dropped]
    assert len(found) - 1 + dropped == 2_000
    numbers = [event["n"] for event in found]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == dropped, "a notice has the number of the last line that it counts"
    assert found[0]["metadata"]["from"] == "2025-01-15T10:30:01.000000Z"
    assert found[0]["message"].startswith(f"{dropped} lines dropped between 2025-01-15T10:30:01.000000Z and ")
    assert rows > 1
    spool.close()


def test_a_batch_that_was_sent_already_has_a_notice_of_its_own(tmp_path: Path) -> None:
    """If it is stored after all, its notice is skipped by its number, and no line is counted that is there."""
    spool = Spool(tmp_path, URL, max_bytes=20_000)
    writer_id = uuid4()
    spool.append([lines(writer_id, 1, 10)])
    [row] = spool.head(writer_id, max_bytes=0)
    spool.put_back(writer_id, row.id, row.id)
    for n in range(1, 60):
        spool.append([lines(writer_id, n * 10 + 1, 10)])
    found = all_of(spool, writer_id)
    assert notices(found)[0] == 10
    assert found[0]["n"] == 10
    assert len(notices(found)) == 2
    assert len(found) - 2 + sum(notices(found)) == 600
    spool.close()


def test_a_batch_that_is_being_sent_gives_up_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, URL, max_bytes=20_000)
    writer_id = uuid4()
    spool.append([lines(writer_id, 1, 10)])
    [row] = spool.head(writer_id, max_bytes=0)
    for n in range(1, 60):
        spool.append([lines(writer_id, n * 10 + 1, 10)])
    assert spool.head(writer_id, max_bytes=0) == [row]
    spool.close()


def test_a_batch_larger_than_the_bound_gives_up_its_own_lines(tmp_path: Path) -> None:
    spool = Spool(tmp_path, URL, max_bytes=5_000)
    writer_id = uuid4()
    assert spool.append([lines(writer_id, 1, 100)]).dropped == 100
    assert notices(all_of(spool, writer_id)) == [100]
    spool.close()


def test_not_even_remains_go_beyond_the_bound(tmp_path: Path) -> None:
    spool = Spool(tmp_path, URL, max_bytes=5_000)
    writer_id = uuid4()
    dropped = 0
    for n in range(1, 200):
        dropped += spool.append([encoded(writer_id, n, [JobStarted(job_id=f"J{n}", handler_name="h")])]).dropped
    found = all_of(spool, writer_id)
    assert len(found) + dropped == 199
    assert found[-1]["n"] == 199
    spool.close()


def test_what_another_process_gave_up_is_told_to_the_writer(tmp_path: Path) -> None:
    ours, theirs = Spool(tmp_path, URL, max_bytes=20_000), Spool(tmp_path, URL, max_bytes=20_000)
    writer_id, other_id = uuid4(), uuid4()
    assert ours.append([lines(writer_id, 1, 15), lines(writer_id, 16, 25)]).dropped == 0
    appended = theirs.append([lines(other_id, 1, 60)])
    assert appended.has_given_up
    assert appended.dropped == 0, "they were not its own"
    [row] = ours.head(writer_id, max_bytes=0)
    assert (row.events, row.dropped) == (0, 40)
    ours.close()
    theirs.close()


EVENTS = st.lists(
    st.one_of(
        st.builds(lambda job, at: Line(job_id=job, message="m", at=AT + timedelta(seconds=at)), st.sampled_from("AB"), st.integers(0, 99)),
        st.builds(lambda job, count: JobProgressed(job_id=job, current=count), st.sampled_from("AB"), st.integers(0, 9)),
        st.builds(lambda job: JobStarted(job_id=job, handler_name="h"), st.sampled_from("AB")),
        st.builds(lambda job: JobFinished(job_id=job, status=JobStatus.COMPLETED), st.sampled_from("AB")),
    ),
    min_size=1,
)  # fmt: skip


@given(EVENTS, st.integers(0, 30))
def test_giving_up_in_one_go_or_in_two_leaves_the_same(events: list[Event], middle: int) -> None:
    numbered = [NumberedEvent(n, event) for n, event in enumerate(events, 1)]
    whole = give_up(encode(numbered))
    first = give_up(encode(numbered[:middle]))
    both = give_up(first.body + encode(numbered[middle:]))
    without_time = re.compile(rb'"at":"[^"]*"')
    assert without_time.sub(b"", both.body) == without_time.sub(b"", whole.body)
    assert first.dropped + both.dropped == whole.dropped
    found = [json.loads(raw) for raw in whole.body.splitlines()]
    assert whole.kept + whole.dropped == len(events)
    assert sum(notices(found)) == sum(isinstance(event, Line) for event in events)
    assert [event["n"] for event in found] == sorted({event["n"] for event in found})
    for job in "AB":
        said = [event for event in events if isinstance(event, JobProgressed) and event.job_id == job]
        kept = [event["current"] for event in found if event["type"] == "progress" and event["job_id"] == job]
        assert kept == [event.current for event in said[-1:]]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.sampled_from(["append", "take", "back", "remove"])))
)
def test_whatever_comes_between_no_line_is_missing_and_none_counts_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, str]]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), URL, max_bytes=12_000)
    writers = [uuid4() for _ in range(3)]
    said, arrived = dict.fromkeys(writers, 0), {writer_id: list[dict[str, Any]]() for writer_id in writers}
    for index, count, step in steps:
        writer_id = writers[index]
        if step == "append":
            spool.append([lines(writer_id, said[writer_id] + 1, count)])
            said[writer_id] += count
        elif rows := spool.head(writer_id, max_bytes=4_000 if step == "take" else 0):
            if step == "back":
                spool.put_back(writer_id, rows[0].id, rows[-1].id)
            elif step == "remove":
                arrived[writer_id] += [json.loads(raw) for row in rows for raw in row.body.splitlines()]
                spool.remove(writer_id, rows[-1].id)
    for writer_id in writers:
        found = arrived[writer_id] + all_of(spool, writer_id)
        numbers = [event["n"] for event in found]
        assert numbers == sorted(set(numbers))
        counted = notices(found)
        assert len(found) - len(counted) + sum(counted) == said[writer_id]
    spool.close()


def test_a_broken_file_is_moved_aside_and_a_new_one_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool.db").write_bytes(b"this is no database" * 1_000)
    spool = Spool(tmp_path, URL)
    writer_id = uuid4()
    with pytest.raises(SpoolUnavailable):
        spool.append([lines(writer_id, 1, 1)])
    spool.append([lines(writer_id, 1, 1)])
    assert len(all_of(spool, writer_id)) == 1
    [aside] = tmp_path.glob("spool.db.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(aside) in caplog.text
    spool.close()


def test_a_file_that_breaks_under_two_processes_is_moved_aside_once(tmp_path: Path) -> None:
    one, two = Spool(tmp_path, URL), Spool(tmp_path, URL)
    one_id, two_id = uuid4(), uuid4()
    for n in range(50):
        one.append([lines(one_id, n * 10 + 1, 10)])
        two.append([lines(two_id, n * 10 + 1, 10)])
    one._file.close()
    two._file.close()
    with (tmp_path / "spool.db").open("r+b") as file:
        file.seek(1024)
        file.write(b"\xff" * 100_000)
    for spool, writer_id in ((one, one_id), (two, two_id)):
        for _ in range(3):
            try:
                spool.append([lines(writer_id, 1_001, 10)])
                break
            except SpoolUnavailable:
                continue
        assert len(all_of(spool, writer_id)) == 10
    assert len(list(tmp_path.glob("spool.db.corrupt-*[0-9]"))) == 1
    one.close()
    two.close()


def test_a_file_that_somebody_removed_is_made_anew(spool: Spool, tmp_path: Path) -> None:
    writer_id = uuid4()
    spool.append([lines(writer_id, 1, 1)])
    for path in tmp_path.glob("spool.db*"):
        path.unlink()
    spool.append([lines(writer_id, 2, 1)])
    assert [event["n"] for event in all_of(spool, writer_id)] == [2]


def test_a_file_of_a_later_version_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolUnavailable, match="later version"):
        spool.append([lines(uuid4(), 1, 1)])


def test_a_directory_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolUnavailable, match="Not a directory"):
        Spool(tmp_path / "file" / "spool", URL).append([lines(uuid4(), 1, 1)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it likes")
def test_a_directory_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SpoolUnavailable, match="Permission denied"):
        Spool(tmp_path, URL).append([lines(uuid4(), 1, 1)])


FULL_DISK = """
import sys
from tests.integration.sdk.outbox.test_spool import fill_the_disk
fill_the_disk(sys.argv[1])
"""


def fill_the_disk(directory: str) -> None:
    """Append until the system takes no more, in a process that may write no large files."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(directory, URL)
    writer_id = uuid4()
    spool.append([lines(writer_id, 1, 10)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    taken, reason = 10, ""
    while not reason:
        try:
            spool.append([lines(writer_id, taken + 1, 100)])
            taken += 100
        except SpoolUnavailable as error:
            reason = str(error)
    rows = spool.head(writer_id, max_bytes=1 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    spool.append([lines(writer_id, taken + 1, 100)])
    found = [event["n"] for event in all_of(spool, writer_id)]
    whole = found == list(range(1, taken + 101))
    print(json.dumps({"reason": reason, "readable": len(rows), "whole": whole}))  # noqa: T201 - the parent reads it
    spool.close()


def test_a_full_disk_takes_nothing_more_and_loses_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert re.search("full|I/O|large", said["reason"])
    assert said["readable"] > 0
    assert said["whole"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_that_ends_leaves_the_parents_file_and_locks_alone(spool: Spool, tmp_path: Path) -> None:
    writer_id, child_id = uuid4(), uuid4()
    spool.append([lines(writer_id, 1, 10)])
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            spool.renew()
            for n in range(100):
                spool.append([lines(child_id, n + 1, 1)])
            spool.close()
            status = 0
        finally:
            os._exit(status)
    for n in range(100):
        spool.append([lines(writer_id, n + 11, 1)])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    other = Spool(tmp_path, URL)
    assert other.adopt() == [child_id], "the parent's lock is still held"
    assert [event["n"] for event in all_of(other, child_id)] == list(range(1, 101))
    assert [event["n"] for event in all_of(spool, writer_id)] == list(range(1, 111))
    other.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forks_in_the_middle_of_appends_lose_nothing(spool: Spool) -> None:
    writer_id = uuid4()
    done = threading.Event()
    taken = [0]

    def work() -> None:
        while not done.is_set():
            spool.append([lines(writer_id, taken[0] + 1, 1)])
            taken[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(10):
        wait_until(lambda: taken[0] > 0)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                spool.renew()
                spool.append([lines(uuid4(), 1, 1)])
                spool.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    done.set()
    thread.join()
    assert [event["n"] for event in all_of(spool, writer_id)] == list(range(1, taken[0] + 1))
