"""No room left: on the disk, in the spool's bound, in memory. What is lost is told where it is missing, to the line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.capture.cast import ReturningService, Store, StoredLine, Worker, working
from tests.faults.capture.worker import STATUS
from tests.processes import until

pytestmark = pytest.mark.timeout(150)

JOB = "job-without-room"
WARNING = 30
MIB = 1 << 20


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """Mount a filesystem in memory that holds so many bytes."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk can be mounted by root only: {getattr(error, 'stderr', None) or error!r}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def assert_gaps_are_told(lines: Sequence[StoredLine], name: str, said: int, *, is_one_notice: bool) -> int:
    """Every line stands in its place, or is counted by the notice that stands there. Tells how many are missing."""
    number = missing = 0
    is_behind_notice = False
    for line in lines:
        if line.level == WARNING:
            assert not (is_one_notice and is_behind_notice), "a gap is told by one notice"
            assert line.metadata is not None
            dropped = line.metadata["dropped"]
            assert line.message.startswith(f"{dropped} line"), line.message
            number, missing = number + dropped, missing + dropped
        else:
            assert line.message.rstrip(".") == f"{name} {number}"
            number += 1
        is_behind_notice = line.level == WARNING
    assert number == said
    return missing


async def assert_untouched(worker: Worker, said: int) -> dict[str, Any]:
    assert await worker.end(patience_s=80) == STATUS, worker.log
    assert worker.told("result") == said
    assert worker.told("flushed") is True, (worker.told("stats"), worker.log)
    stats: dict[str, Any] = worker.told("stats")
    assert stats["faults"] == 0
    assert stats["captured"] == stats["sent"] + stats["dropped"], stats
    return stats


async def assert_whole_but_for_what_is_told(
    store: Store, worker: Worker, said: int, *, is_one_notice: bool = True
) -> int:
    stats = await assert_untouched(worker, said)
    missing = assert_gaps_are_told(await store.lines(JOB), "a", said, is_one_notice=is_one_notice)
    assert missing == stats["dropped"]
    assert await store.status(JOB) == "COMPLETED"
    assert await store.handler(JOB) == "count"
    return missing


async def test_a_full_disk_costs_no_line_that_memory_can_hold(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        options = {"wait_s": 60, "spool_dir": str(disk / "spool")}
        with working(
            absent.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=4_000, padding=2_000
        ) as worker:
            await until(lambda: worker.said >= 4_000)
            await absent.start()
            assert await assert_whole_but_for_what_is_told(store, worker, 4_000) == 0


async def test_a_full_disk_and_full_memory_cost_what_is_told(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        options = {"wait_s": 60, "spool_dir": str(disk / "spool")}
        with working(
            absent.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=1_500, padding=64_000
        ) as worker:
            await until(lambda: worker.said >= 1_500)
            await absent.start()
            assert await assert_whole_but_for_what_is_told(store, worker, 1_500) > 300


async def test_files_that_may_not_grow_cost_no_line_that_memory_can_hold(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    options = {"wait_s": 60, "file_bytes": 300_000}
    with working(
        absent.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=4_000, padding=2_000
    ) as worker:
        await until(lambda: worker.said >= 4_000)
        await absent.start()
        assert await assert_whole_but_for_what_is_told(store, worker, 4_000) == 0


async def test_a_spool_that_reaches_its_bound_tells_exactly_what_is_missing(
    absent: ReturningService, store: Store, tmp_path: Path
) -> None:
    """A batch that was sent before, to no avail, keeps a notice of its own: it may be stored after all."""
    options = {"wait_s": 60, "spool_bytes": MIB}
    with working(
        absent.url, tmp_path, "count", options=options, job_id=JOB, name="a", lines=40_000, padding=100
    ) as worker:
        await until(lambda: worker.said >= 40_000)
        await absent.start()
        missing = await assert_whole_but_for_what_is_told(store, worker, 40_000, is_one_notice=False)
        assert 0 < missing < 40_000
