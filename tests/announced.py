"""Announcements to test with, and what a channel's consumer sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from domain.announcements import Announcement, Resync
from domain.logs import TaskLog
from jobtail.events import JobStatus, LogLevel

AT = datetime(2026, 11, 22, 20, 33, 58, 123456, tzinfo=UTC)
PATIENCE_S = 15


def line(seq: int, message: str = "Reading job description", *, job_id: str = "job-1") -> TaskLog:
    return TaskLog(
        job_id=job_id,
        seq=seq,
        execution_id=None,
        stage="read_jd",
        task_id=None,
        timestamp=AT,
        recorded_at=AT,
        level=LogLevel.INFO,
        message=message,
        metadata=None,
    )


def announcement(*rows: TaskLog, job_id: str = "job-1", first: int = 1, last: int = 1) -> Announcement:
    """Announce the rows, or, without any, the range of seqs."""
    return Announcement(
        job_id=rows[0].job_id if rows else job_id,
        first_seq=rows[0].seq if rows else first,
        last_seq=rows[-1].seq if rows else last,
        status=JobStatus.RUNNING,
        rows=rows,
    )


class Hearing:
    """What a consumer of signals has taken so far."""

    def __init__(self, signals: AsyncIterator[Announcement | Resync]) -> None:
        self._signals = signals
        self.heard: list[Announcement | Resync] = []

    async def next(self) -> Announcement | Resync:
        async with asyncio.timeout(PATIENCE_S):
            signal = await anext(self._signals)
        self.heard.append(signal)
        return signal

    async def until(self, is_enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_enough():
                await self.next()

    async def until_resync(self) -> None:
        while not isinstance(await self.next(), Resync):
            pass

    async def until_heard(self, job_id: str) -> Announcement:
        while True:
            signal = await self.next()
            if isinstance(signal, Announcement) and signal.job_id == job_id:
                return signal

    def seqs(self, job_id: str) -> set[int]:
        return {
            seq
            for signal in self.heard
            if isinstance(signal, Announcement) and signal.job_id == job_id
            for seq in range(signal.first_seq, signal.last_seq + 1)
        }


async def holds(condition: Callable[[], bool]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - nothing tells of a condition in general
            await asyncio.sleep(0.01)
