"""`jobtail tail`: a job's history, then what it says now, until it ends. Nothing is missed and nothing comes twice."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobtail.backoff import Backoff
from jobtail.events import JobStatus, LogLevel
from jobtail.shell.exits import EXIT_OF_STATUS, Exit, say
from jobtail.shell.log_subscription import GraphQL, ServiceAway, ServiceRefused
from jobtail.shell.rendering import Render, as_json, renderer

LOOK_EVERY_S = 5.0
GIVE_UP_S = 30.0
"""How long `--no-follow` waits for a service that went away; following waits for ever."""

JOB = "query ($jobId: String!) { job(jobId: $jobId) { lastSeq } }"
JOB_LOGS = """
subscription ($jobId: String!, $after: String, $afterSeq: BigInt, $filter: LogFilter) {
  jobLogs(jobId: $jobId, after: $after, afterSeq: $afterSeq, filter: $filter) {
    logs { seq timestamp level stage taskId message metadata } endCursor caughtUp jobStatus
  }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRequest:
    """What is to be shown."""

    job_id: str
    min_level: LogLevel | None = None
    stage: str | None = None
    task_id: str | None = None
    since_line: int = 1
    """The first line that may be shown, that one included."""
    follow: bool = True
    as_json: bool = False

    @property
    def log_filter(self) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        if self.min_level is not None:
            chosen["minLevel"] = self.min_level.name
        if self.stage is not None:
            chosen["stages"] = [self.stage]
        if self.task_id is not None:
            chosen["taskIds"] = [self.task_id]
        return chosen


def tail(request: TailRequest, url: str, token: str | None) -> Exit:
    """Show a job's lines on stdout. The exit status tells how the job ended."""
    _end_with_reader()
    try:
        return _show(Tail(GraphQL(url, token), request), _render(request))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return Exit.CLOSED_OUTPUT
    except ServiceRefused as refusal:
        say(str(refusal))
        return Exit.NO_SERVICE


def _show(log: Tail, render: Render) -> Exit:
    try:
        last_seq = log.last_seq()
    except ServiceAway as error:
        say(f"there is no service: {error}. Start it, or say where it is by --url or JOBTAIL_URL")
        return Exit.NO_SERVICE
    if last_seq is None and not log.request.follow:
        say(f"there is no job {log.request.job_id}")
        return Exit.NO_JOB
    if last_seq is None:
        say(f"there is no job {log.request.job_id} yet; waiting for it")
    try:
        return _write(log.batches(last_seq or 0), render, is_followed=log.request.follow)
    except ServiceAway as error:
        say(f"giving up: {error}")
        return Exit.NO_SERVICE


def _write(batches: Iterator[Mapping[str, Any]], render: Render, *, is_followed: bool) -> Exit:
    out = sys.stdout.buffer
    for batch in batches:
        for line in batch["logs"]:
            out.write(render(line))
        out.flush()
        if batch["jobStatus"]:
            return EXIT_OF_STATUS[JobStatus(batch["jobStatus"])]
        if batch["caughtUp"] and not is_followed:
            break
    return Exit.COMPLETED


class Tail:
    """Reads a job's lines in order, over as many connections as it takes."""

    def __init__(self, service: GraphQL, request: TailRequest) -> None:
        self.request = request
        self._service = service

    def last_seq(self) -> int | None:
        """Ask how many lines the job has; None if there is no such job.

        Raises:
            ServiceAway: if nobody answers.
        """
        job = self._service.ask(JOB, {"jobId": self.request.job_id})["job"]
        return None if job is None else int(job["lastSeq"])

    def batches(self, last_seq: int) -> Iterator[Mapping[str, Any]]:
        """Yield batches until the job ends. A lost connection is made again, behind the last batch.

        Raises:
            ServiceAway: without `follow`, when the service stays away.
        """
        # The service takes no line number beyond the end of a log.
        place: dict[str, Any] = {"afterSeq": min(self.request.since_line - 1, last_seq)}
        backoff, away_since = Backoff(), 0.0
        while True:
            try:
                for batch in self._subscribe(place):
                    backoff.reset()
                    yield batch
                    place = {"after": batch["endCursor"]}
            except ServiceAway:
                if not backoff.failures:
                    away_since = time.monotonic()
                    say("the connection was lost, reconnecting")
                if not self.request.follow and time.monotonic() - away_since > GIVE_UP_S:
                    raise
                time.sleep(backoff.next_s())
            else:
                return

    def _subscribe(self, place: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        variables = {"jobId": self.request.job_id, "filter": self.request.log_filter, **place}
        for data in self._service.subscribe(JOB_LOGS, variables):
            batch = data["jobLogs"]
            batch["logs"] = [line for line in batch["logs"] if line["seq"] >= self.request.since_line]
            yield batch


def _render(request: TailRequest) -> Render:
    if request.as_json:
        return as_json
    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return renderer(has_colour=has_colour, encoding=sys.stdout.encoding)


def _end_with_reader() -> None:
    """End when who reads our pipe has gone, also while the job is silent: `jobtail tail J | grep -m1 ready`."""
    if stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        threading.Thread(target=_watch_reader, name="jobtail-reader", daemon=True).start()


def _watch_reader() -> None:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    while not any(event & select.POLLERR for _, event in poll.poll()):
        time.sleep(LOOK_EVERY_S)
    os._exit(Exit.CLOSED_OUTPUT)


def _forget_output() -> None:
    """Keep the interpreter from flushing into the closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
