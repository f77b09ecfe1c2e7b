"""Capture within the service's own process: the SDK's writer, with the Recorder as its sink."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError

from domain.errors import InvalidInput, StorageFault, Unavailable
from domain.recorder import Recorder
from jobtail.events import Batch
from jobtail.sink import BatchRejected, SinkUnavailable

TIMEOUT_S = 60.0


class RecorderSink:
    """Satisfies `jobtail.Sink`: hands batches from the writer's thread to the recorder in its event loop.

    Close the writer from another thread than the loop's, which has work to do meanwhile: `asyncio.to_thread`.
    """

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop, *, timeout_s: float = TIMEOUT_S) -> None:
        self._recorder = recorder
        self._loop = loop
        self._timeout_s = timeout_s

    def send(self, batch: Batch) -> None:
        work = self._recorder.record(batch)
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:
            work.close()
            raise SinkUnavailable("the service has ended") from error
        try:
            future.result(self._timeout_s)
        except (Unavailable, FutureTimeoutError, CancelledError) as error:
            future.cancel()
            raise SinkUnavailable(str(error)) from error
        except (InvalidInput, StorageFault) as error:
            raise BatchRejected(str(error)) from error

    def flush(self, timeout_s: float) -> bool:
        """Nothing waits here: what was sent is stored."""
        del timeout_s
        return True

    def renew(self) -> None:
        """A forked child has no loop to hand batches to; its sends fail until it makes a sink of its own."""

    def close(self) -> None:
        """Nothing is held: the recorder has an owner of its own."""
