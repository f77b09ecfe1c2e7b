"""The process that captures: it makes lines of what is copied, beside the copying and not in its way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from jobtail.jsonable import shown
from jobtail.shell.capture_pipe import CapturePipe, End, Loss, received
from jobtail.shell.command import HURRYING, Children, Ending
from jobtail.shell.command_job import CommandCapture, CommandJob
from jobtail.shell.exits import say
from jobtail.shell.pumps import LOOK_EVERY_S, move_ready

HANGING_S = 300.0
"""So long after the end of the command the capture is taken to hang."""


class CaptureProcess:
    """A child of ours. The command never waits for it; its end does."""

    def __init__(self, children: Children, pid: int, pipe: CapturePipe) -> None:
        self.pipe = pipe
        self._children = children
        self._pid = pid

    @classmethod
    def start(cls, children: Children, job: CommandJob, url: str, token: str | None) -> CaptureProcess:
        """Fork. No thread may run yet, and signals are blocked.

        Raises:
            OSError: if there can be no further process.
        """
        source, target = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(source)
            os.close(target)
            raise
        if not pid:
            os.close(target)
            _capture(source, job, url, token)
        os.close(source)
        children.add(pid)
        return cls(children, pid, CapturePipe(target))

    def finish(self, error: str | None, wake: int, is_hurried: Callable[[], bool]) -> None:
        """Tell it how the command ended, and wait until it has sent or kept the lines."""
        self.pipe.end(error)
        deadline, was_hurried = time.monotonic() + HANGING_S, False
        while self._children.ending(self._pid) is None:
            if is_hurried() and not was_hurried:
                was_hurried = True
                self.pipe.hurry()
                self._children.signal(self._pid, signal.SIGTERM)
            if self.pipe.interest:
                deadline = time.monotonic() + HANGING_S
            elif time.monotonic() > deadline:
                say("the capture does not end; its last lines are lost")
                self._children.signal(self._pid, signal.SIGKILL)
            move_ready([self.pipe], wake, LOOK_EVERY_S)
        ending = self._children.ending(self._pid)
        if ending is not None and ending < 0 and not is_hurried():
            say(f"the capture was {Ending(ending).error}; what the command printed is not all captured")


def _capture(source: int, job: CommandJob, url: str, token: str | None) -> None:
    """Be the child. Does not return."""
    status = 1
    try:
        os.setsid()  # the terminal's signals are the command's
        _close_output()
        capture = CommandCapture(job, url, token, _is_hurried)
        with open(source, "rb", buffering=1 << 20) as pipe:
            for heard in received(pipe):
                if isinstance(heard, End):
                    capture.finish(heard.error)
                    break
                if isinstance(heard, Loss):
                    capture.note_loss(heard)
                else:
                    capture.take(heard)
        capture.leave()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the command runs whatever becomes of its capture
        say(f"the output is not captured: {shown(error) or type(error).__name__}")
    finally:
        os._exit(status)


def _close_output() -> None:
    """Leave the streams to who reads them; what there is to say is said on stderr."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _is_hurried() -> bool:
    """Tell whether a signal waits, which are all blocked here."""
    return bool(signal.sigpending() & HURRYING)
