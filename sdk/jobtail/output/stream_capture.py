"""The capture of a job's output, its prints and what its child processes write. It still reaches the terminal unchanged.

A print belongs to the job in whose context it is made. What child processes write can't be told apart: it belongs to
the job whose capture was started last.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from threading import RLock, get_ident, local
from typing import Any

from jobtail import client
from jobtail.current import OpenJob, Place, present
from jobtail.events import LogLevel
from jobtail.masking.masker import masker
from jobtail.output.line_splitter import LineSplitter
from jobtail.output.redirected_descriptor import Descriptor
from jobtail.output.standard_streams import number_of
from jobtail.output.tee import Tee
from jobtail.process.exit_hooks import on_departure
from jobtail.process.fork_hooks import renew_after_fork

NUMBERS = {1: "stdout", 2: "stderr"}
ATTRIBUTES = {"stdout": "stdout", "stderr": "stderr", "__stdout__": "stdout", "__stderr__": "stderr"}
DRAIN_S = 2.0
"""How long the end of a capture waits for a terminal that does not take what children wrote."""
DEEPEST = 3
"""A line that makes us print, whose line makes us print again, ends here."""


class _Voice:
    """One that speaks line by line: what a thread writes to a stream, or all children to a descriptor."""

    def __init__(self, stream: str) -> None:
        self.place: Place | None = None
        """Where it spoke last."""
        self.lines = LineSplitter()
        self._stream = stream
        self._masker = masker.stream()

    def speak(self, job: OpenJob, lines: list[str]) -> None:
        stage = None if self.place is None else self.place.stage
        task_id = None if self.place is None else self.place.task_id
        for line in lines:
            message = self._masker.key_masked(line)
            job.say(message, LogLevel.INFO, {"stream": self._stream}, stage=stage, task_id=task_id)


class OutputCapture:
    """Captures the output of one job between `start` and `stop`. Neither raises, nor does a print meanwhile."""

    def __init__(self, job: OpenJob) -> None:
        self.job = job
        self.place: Place | None = None
        """The stage and task that what children write belongs to."""
        self._voices: dict[tuple[str, int, int], _Voice] = {}

    @client.guarded
    def start(self) -> None:
        _outputs.add(self)

    @client.guarded
    def stop(self) -> None:
        """End the capture. What children have written until now, and lines without an end, still become lines."""
        _outputs.remove(self)

    @client.guarded
    def move(self) -> None:
        """Note that the job went to the present stage and task. What children wrote until now belongs to the former."""
        _outputs.catch_up()
        place = present()
        if place is not None and place.job is self.job:
            self.place = place

    @client.guarded
    def hear(self, stream: str, speaker: int, data: str | bytes, place: Place | None) -> None:
        """Take what was written. The speaker is a thread, or 0 for child processes."""
        depth = _depth.value = getattr(_depth, "value", 0) + 1
        try:
            if depth <= DEEPEST:
                voice = self._voices.get((stream, speaker, depth)) or self._new_voice(stream, speaker, depth)
                voice.place = place
                voice.speak(self.job, voice.lines.feed(data))
        finally:
            _depth.value = depth - 1

    def _new_voice(self, stream: str, speaker: int, depth: int) -> _Voice:
        return self._voices.setdefault((stream, speaker, depth), _Voice(stream))

    def flush(self) -> None:
        """Say the lines that have no end."""
        for voice in list(self._voices.values()):
            voice.speak(self.job, voice.lines.flush())


class _Outputs:
    """All captures of the process. Streams and descriptors are replaced while there is one."""

    def __init__(self) -> None:
        self._captures: tuple[OutputCapture, ...] = ()
        self._descriptors: dict[int, Descriptor] = {}
        self._tees: list[Tee] = []
        self._lock = RLock()
        self._is_known = False

    def add(self, capture: OutputCapture) -> None:
        with self._lock:
            if not self._is_known:
                self._is_known = True
                renew_after_fork(self)
                on_departure(self.end)
            if self._captures:
                self._drain()
            else:
                self._replace_descriptors()
            self._captures = (*self._captures, capture)
            self._replace_streams()

    def remove(self, capture: OutputCapture) -> None:
        with self._lock:
            if capture not in self._captures:
                return
            is_last = len(self._captures) == 1
            if is_last:
                self._restore()
            self._drain()
            self._captures = tuple(each for each in self._captures if each is not capture)
            if is_last:
                self._descriptors = {}
        capture.flush()

    def end(self, reason: str) -> None:
        """End all captures: the process ends."""
        del reason
        for capture in self._captures:
            capture.stop()

    def catch_up(self) -> None:
        """Pass on what children have written: something is to come after it."""
        for descriptor in list(self._descriptors.values()):
            descriptor.pump()

    def hold(self, timeout_s: float) -> bool:
        return self._lock.acquire(timeout=timeout_s)

    def release(self) -> None:
        self._lock.release()

    def renew_locks(self) -> None:
        self._lock = RLock()
        for descriptor in self._descriptors.values():
            descriptor.renew_locks()

    def renew(self) -> None:
        """Be a child process: what it writes goes into its parent's pipe, and is captured there."""
        self._captures = ()
        for tee in self._tees:
            tee.release()
        for descriptor in self._descriptors.values():
            descriptor.forget()
        self._tees, self._descriptors = [], {}

    def _replace_descriptors(self) -> None:
        if os.name != "posix":
            return
        for number, name in NUMBERS.items():
            try:
                self._descriptors[number] = Descriptor(number, partial(self._hear_children, name))
            except (OSError, RuntimeError):
                continue  # it is closed, or there is no room; what is printed is captured all the same

    def _replace_streams(self) -> None:
        replaced: dict[int, Tee] = {}
        for attribute, name in ATTRIBUTES.items():
            stream = getattr(sys, attribute, None)
            if isinstance(stream, Tee) and stream not in self._tees:
                stream = stream.stream  # left by somebody who had put it aside during an earlier capture
            if stream is None or isinstance(stream, Tee):
                continue
            number = number_of(stream)
            descriptor = self._descriptors.get(number)
            if descriptor is not None and not descriptor.is_past_pipe(stream):
                continue  # it is heard in the pipe
            if id(stream) not in replaced:
                replaced[id(stream)] = self._tee(stream, name)
            setattr(sys, attribute, replaced[id(stream)])

    def _tee(self, stream: Any, name: str) -> Tee:
        number = next((number for number, each in self._descriptors.items() if each.is_past_pipe(stream)), None)
        tee = Tee(stream, partial(self._hear_print, name), number=number, catch_up=self.catch_up)
        self._tees.append(tee)
        return tee

    def _restore(self) -> None:
        for descriptor in self._descriptors.values():
            descriptor.restore()
        for attribute in ATTRIBUTES:
            stream = getattr(sys, attribute, None)
            if stream in self._tees:
                setattr(sys, attribute, stream.stream)
        for tee in self._tees:
            tee.release()
        self._tees = []

    def _drain(self) -> None:
        for descriptor in self._descriptors.values():
            descriptor.drain(DRAIN_S)

    def _hear_print(self, name: str, said: str | bytes) -> None:
        place = present()
        if place is not None:
            for capture in self._captures:
                if capture.job is place.job:
                    capture.hear(name, get_ident(), said, place)

    def _hear_children(self, name: str, data: bytes) -> None:
        captures = self._captures
        if captures:
            capture = captures[-1]
            capture.hear(name, 0, data, capture.place)


_depth = local()
_outputs = _Outputs()
