"""Message profiles: counts of a job's messages by fingerprint, kept in memory for the jobs that are compared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from domain.analysis.incremental_cache import IncrementalCache
from domain.analysis.message_templates import template
from domain.analysis.slice_reader import SliceReader
from domain.errors import OutOfTime
from domain.logs import SaidMessage
from domain.ports import LogMessages, LogTimes
from jobtail.events import LogLevel

SLICE_LINES = 5_000
"""How many lines are read at a time: some 10 MB at most, since long messages are clipped."""
PATIENCE_S = 8.0
"""How long slices are begun for one profile."""
MOST_MESSAGES = 5_000
"""With so many fingerprints a profile ends: nobody reads as many, and each takes memory."""
KEPT_BYTES = 32 * 1024 * 1024
MESSAGE_BYTES = 300
"""Estimates the memory of a fingerprint but for its template."""


class Fingerprint(NamedTuple):
    """What makes lines of two runs the same message."""

    level: LogLevel
    stage: str
    template: str


class Occurrences(NamedTuple):
    """How many lines say a message, and which one first."""

    lines: int
    first_seq: int


@dataclass(frozen=True, slots=True)
class MessageProfile:
    """What the lines of a job say, from the first one on."""

    job_id: str
    said: Mapping[Fingerprint, Occurrences]
    lines: int
    """How many they are."""
    is_complete: bool
    """Whether they are all lines of the job."""


@dataclass(slots=True)
class _Counts:
    said: dict[Fingerprint, Occurrences] = field(default_factory=dict)
    lines: int = 0
    size: int = 0
    """About how many bytes they take."""

    def add(self, further: Mapping[Fingerprint, Occurrences]) -> None:
        """Add what later lines say."""
        for fingerprint, said in further.items():
            before = self.said.get(fingerprint)
            if before is None:
                self.size += MESSAGE_BYTES + len(fingerprint.template)
            self.said[fingerprint] = (
                said if before is None else Occurrences(before.lines + said.lines, before.first_seq)
            )
            self.lines += said.lines


class MessageProfiles:
    """Makes profiles, one slice of lines at a time, whoever asks."""

    def __init__(
        self,
        times: LogTimes,
        messages: LogMessages,
        *,
        slice_lines: int = SLICE_LINES,
        patience_s: float = PATIENCE_S,
        kept_bytes: int = KEPT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._times = times
        self._messages = messages
        self._slices = SliceReader(slice_lines, patience_s, clock, turn=asyncio.Lock())
        self._readings: IncrementalCache[_Counts] = IncrementalCache(
            lambda _: _Counts(), lambda counts: counts.size, kept_bytes=kept_bytes, clock=clock
        )

    async def profile(self, job_id: str) -> MessageProfile:
        """Tell what a job says: all of it, or what its first lines say where time or fingerprints run out.

        Out of time, a further look goes on behind them.
        """
        extent = await self._times.extent(job_id)
        if extent is None:
            return MessageProfile(job_id, {}, lines=0, is_complete=True)
        async with self._readings.of(job_id, extent) as reading:
            counts = reading.made
            is_complete = await self._slices.read(reading, extent.last_seq, partial(self._take, job_id, counts))
            return MessageProfile(job_id, dict(counts.said), counts.lines, is_complete=is_complete)

    async def _take(self, job_id: str, counts: _Counts, after: int, upto: int) -> bool:
        """Count the messages of a slice. Templates are made in a thread, since regular expressions take long."""
        if len(counts.said) >= MOST_MESSAGES:
            return False
        try:
            lines = await self._messages.said(job_id, after=after, upto=upto)
        except OutOfTime:
            return False
        counts.add(await asyncio.to_thread(_counted, lines))
        return True


def _counted(lines: Iterable[SaidMessage]) -> Mapping[Fingerprint, Occurrences]:
    counts: dict[tuple[int, str, str], tuple[int, int]] = {}
    for seq, level, stage, message in lines:
        key = (level, stage, template(message))
        count, first_seq = counts.get(key, (0, seq))
        counts[key] = (count + 1, first_seq)
    return {
        Fingerprint(LogLevel(level), stage, said): Occurrences(count, first_seq)
        for (level, stage, said), (count, first_seq) in counts.items()
    }
