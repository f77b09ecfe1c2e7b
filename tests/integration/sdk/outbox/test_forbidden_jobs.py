"""A job that the token does not allow holds nothing else up: its events are set aside, and the next process tries them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobtail.events import Batch, Line, NumberedEvent
from jobtail.outbox.outbox import Outbox
from jobtail.outbox.spool import Spool
from jobtail.outbox.transport import HttpTransport
from tests.model_service import OK, Answer, ModelService, model_service
from tests.processes import PATIENCE_S

FORBIDDEN = "this needs a token that allows jobs like 'other-1'; this one is for those that begin with 'own-'"


def judge(events: list[dict[str, Any]]) -> Answer:
    """Allow jobs of one prefix alone, as the service does for a token of one."""
    job_id = next((event["job_id"] for event in events if not event["job_id"].startswith("own-")), None)
    if job_id is None:
        return OK
    error = {"code": "FORBIDDEN", "message": FORBIDDEN, "job_id": job_id}
    return Answer(status=403, body=json.dumps({"error": error}).encode())


@pytest.fixture
def service() -> Iterator[ModelService]:
    with model_service() as running:
        running.judge = judge
        yield running


@contextmanager
def outbox_to(service: ModelService, directory: Path | None) -> Iterator[Outbox]:
    outbox = Outbox(HttpTransport(service.url), None if directory is None else Spool(directory, service.url, 1 << 30))
    try:
        yield outbox
    finally:
        outbox.close()


class Worker:
    """Says lines of several jobs in turn."""

    def __init__(self, outbox: Outbox) -> None:
        self.writer_id: UUID = uuid4()
        self._outbox = outbox
        self._n = 0

    def say(self, *job_ids: str) -> None:
        numbered = []
        for job_id in job_ids:
            self._n += 1
            numbered.append(NumberedEvent(self._n, Line(job_id=job_id, message=f"line {self._n}")))
        self._outbox.send(Batch(self.writer_id, tuple(numbered)))


def lines(*numbers: int) -> list[str]:
    return [f"line {number}" for number in numbers]


def test_the_events_of_a_forbidden_job_hold_up_no_other(
    service: ModelService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "jobtail")
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        worker.say("own-1", "other-1", "own-2", "other-2", "own-1")
        assert not outbox.flush(PATIENCE_S), "not all of it is stored"
        worker.say("other-1", "own-3")
        outbox.flush(PATIENCE_S)
        assert (service.lines_of("own-1"), service.lines_of("own-2")) == (lines(1, 5), lines(3))
        assert service.lines_of("own-3") == lines(7)
        stats = outbox.stats()
        assert (stats.sent, stats.spooled, stats.waiting, stats.dropped) == (4, 3, 0, 0)
        assert FORBIDDEN in str(stats.last_error)
    told = [record.getMessage() for record in caplog.records]
    assert [("'other-1'" in line, "'other-2'" in line) for line in map(first_words, told)] == [
        (True, False),
        (False, True),
    ]


def first_words(message: str) -> str:
    return message.partition(" are set aside")[0]


def test_the_next_process_tries_what_was_set_aside_once_and_sends_it_with_a_token_that_allows_it(
    service: ModelService, tmp_path: Path
) -> None:
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        for _ in range(3):
            worker.say("other-1", "own-1", "other-1")
        outbox.flush(PATIENCE_S)
    with outbox_to(service, tmp_path) as outbox:
        posts = len(service.posts)
        Worker(outbox).say("own-2")
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of("own-2") == lines(1)
        assert 0 < len(service.posts) - posts <= 3
        outbox._queue.adopt()
        assert outbox._queue._orphans == [], "what it has tried is not taken over again"
    service.judge = lambda _: OK
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say("own-2")
        assert outbox.flush(PATIENCE_S)
    assert service.lines_of("other-1") == lines(1, 3, 4, 6, 7, 9)
    assert service.lines_of("own-1") == lines(2, 5, 8)


def test_a_forbidden_job_in_a_backlog_of_many_batches_costs_itself_alone(service: ModelService, tmp_path: Path) -> None:
    service.stop()
    with outbox_to(service, tmp_path) as outbox:
        worker = Worker(outbox)
        for _ in range(20):
            worker.say("own-1", "other-1")
        assert not outbox.flush(0.2)
        service.start()
        outbox._dispatcher.attempts.hurry()
        outbox.flush(PATIENCE_S)
        assert service.lines_of("own-1") == lines(*range(1, 40, 2))
        assert (outbox.stats().sent, outbox.stats().spooled) == (20, 20)


def test_without_a_directory_the_events_of_a_forbidden_job_are_dropped(service: ModelService) -> None:
    with outbox_to(service, None) as outbox:
        Worker(outbox).say("own-1", "other-1", "own-1")
        assert outbox.flush(PATIENCE_S)
        assert service.lines_of("own-1") == lines(1, 3)
        assert (outbox.stats().sent, outbox.stats().dropped) == (2, 1)


def test_a_token_that_allows_no_capture_at_all_holds_everything_as_before(
    service: ModelService, tmp_path: Path
) -> None:
    error = {"code": "FORBIDDEN", "message": "this needs a token that allows capture"}
    service.judge = lambda _: Answer(status=403, body=json.dumps({"error": error}).encode())
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say("own-1")
        assert not outbox.flush(PATIENCE_S)
        assert outbox.stats().spooled == 1
        service.judge = judge
        outbox._dispatcher.attempts.hurry()
        assert outbox.flush(PATIENCE_S)


def test_a_job_that_the_service_names_and_no_post_holds_is_tried_again_with_pauses(
    service: ModelService, tmp_path: Path
) -> None:
    error = {"code": "FORBIDDEN", "message": FORBIDDEN, "job_id": "of somebody else's"}
    service.judge = lambda _: Answer(status=403, body=json.dumps({"error": error}).encode())
    with outbox_to(service, tmp_path) as outbox:
        Worker(outbox).say("own-1")
        assert not outbox.flush(PATIENCE_S)
        assert outbox._dispatcher.failures >= 1
