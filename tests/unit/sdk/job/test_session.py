"""Two lines capture a job: its start and end, its stages and tasks, its error, wherever it runs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import logging
import sys
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import jobtail
from jobtail import Event, JobFinished, JobStarted, JobStatus, Line, LogLevel, TaskChanged, TaskStatus, client
from jobtail.job.session import current_job
from tests.recording import LONG_S, Recording, RecordingSink, recording


@pytest.fixture
def recorded() -> Iterator[Recording]:
    with recording() as recorded:
        yield recorded


def places(recorded: Recording) -> list[tuple[str, str | None, str | None]]:
    return [(line.message, line.stage, line.task_id) for line in recorded.lines]


def changes(recorded: Recording) -> list[tuple[str, str, TaskStatus]]:
    return [(change.stage, change.task_id, change.status) for change in recorded.of(TaskChanged)]


def finish_of(recorded: Recording) -> JobFinished:
    (finish,) = recorded.of(JobFinished)
    return finish


def test_two_lines_capture_a_job_from_its_start_to_its_end(recorded: Recording) -> None:
    with jobtail.job(
        "JB_1", handler_name="import", source="cron", execution_id="EX_1", schedule_id="S", metadata={"a": 1}, total=3
    ) as emitter:
        emitter.emit_info("hello")
    start, line, finish = recorded.events
    assert isinstance(start, JobStarted)
    assert (start.job_id, start.handler_name, start.source, start.execution_id) == ("JB_1", "import", "cron", "EX_1")
    assert (start.schedule_id, start.parent_job_id, start.metadata, start.total) == ("S", None, {"a": 1}, 3)
    assert isinstance(line, Line)
    assert (line.job_id, line.message, line.stage, line.level) == ("JB_1", "hello", None, LogLevel.INFO)
    assert isinstance(finish, JobFinished)
    assert (finish.status, finish.error, finish.result) == (JobStatus.COMPLETED, None, None)
    assert start.at is not None
    assert line.at is not None
    assert finish.at is not None
    assert start.at <= line.at <= finish.at


def test_the_emitter_understands_every_emission_and_a_given_one_hears_them(recorded: Recording) -> None:
    heard: list[Any] = []

    class Own:
        def emit_info(self, message: str) -> str:
            heard.append(message)
            return "answer"

    with jobtail.job("JB_1") as emitter:
        emitter.emit_stage("fetch", "fetching")
        emitter.emit_candidate_match(candidate_id="C_1", score=1)
        emitter.emit_progress(1, {"total": 2})
        emitter.add_task("T_1", "one")
        emitter.update_task_status("T_1", True, "fine")
        emitter.emit_error("fetch", "no")
        emitter.emit_complete("done")
        with pytest.raises(AttributeError):
            emitter.nothing_like_it()
    assert recorded.messages == [
        "fetching",
        "Candidate match: candidate_id=C_1 score=1",
        "Progress: 1 of 2",
        "no",
        "done",
    ]
    with jobtail.job("JB_2", emitter=Own()) as emitter:
        assert emitter.emit_info("heard") == "answer"
    assert heard == ["heard"]
    assert recorded.messages[-1] == "heard"


def test_what_emit_complete_said_is_the_result_and_comes_with_the_end(recorded: Recording) -> None:
    with jobtail.job("JB_1") as emitter:
        emitter.emit_complete("2 scored")
        emitter.emit_info("tidied up")
    assert isinstance(recorded.events[-1], JobFinished)
    assert (finish_of(recorded).status, finish_of(recorded).result) == (JobStatus.COMPLETED, "2 scored")


def test_a_job_that_fails_after_emit_complete_has_failed(recorded: Recording) -> None:
    with contextlib.suppress(ValueError), jobtail.job("JB_1") as emitter:
        emitter.emit_complete("2 scored")
        raise ValueError("late")
    assert (finish_of(recorded).status, finish_of(recorded).result) == (JobStatus.FAILED, None)


def fail(text: str) -> None:
    raise ValueError(text)


def test_an_exception_passes_unchanged_and_leaves_its_whole_traceback_in_one_line(recorded: Recording) -> None:
    thrown = KeyError("cause")
    caught: BaseException | None = None
    try:
        with jobtail.job("JB_1"):
            try:
                raise thrown
            except KeyError:
                fail("no such row")
    except ValueError as error:
        caught = error
    assert isinstance(caught, ValueError)
    assert caught.__context__ is thrown
    assert [frame.name for frame in traceback.extract_tb(caught.__traceback__)] == [
        "test_an_exception_passes_unchanged_and_leaves_its_whole_traceback_in_one_line",
        "fail",
    ]
    line = recorded.line
    assert line.level is LogLevel.ERROR
    assert line.message == "".join(traceback.format_exception(caught)).rstrip()
    assert "During handling of the above exception" in line.message
    assert line.metadata == {"exception": "ValueError", "error": "no such row"}
    assert (finish_of(recorded).status, finish_of(recorded).error) == (JobStatus.FAILED, "ValueError: no such row")


def test_the_exception_of_a_library_is_named_with_its_module(recorded: Recording) -> None:
    with contextlib.suppress(ModuleNotFoundError), jobtail.job("JB_1"):
        raise ModuleNotFoundError
    with contextlib.suppress(asyncio.InvalidStateError), jobtail.job("JB_2"):
        raise asyncio.InvalidStateError("x")
    assert [dict(line.metadata or {})["exception"] for line in recorded.lines] == [
        "ModuleNotFoundError",
        "asyncio.exceptions.InvalidStateError",
    ]
    assert [finish.error for finish in recorded.of(JobFinished)] == ["ModuleNotFoundError", "InvalidStateError: x"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupted_job_is_cancelled(recorded: Recording, kind: type[BaseException]) -> None:
    with pytest.raises(kind), jobtail.job("JB_1"), jobtail.stage("fetch"):
        raise kind
    assert finish_of(recorded).status is JobStatus.CANCELLED
    assert changes(recorded)[-1] == ("fetch", "fetch", TaskStatus.CANCELLED)
    assert recorded.lines == []


def test_sys_exit_ends_a_job_by_its_status(recorded: Recording) -> None:
    for code in (0, 3):
        with pytest.raises(SystemExit), jobtail.job(f"JB_{code}"):
            sys.exit(code)
    assert [(finish.status, finish.error) for finish in recorded.of(JobFinished)] == [
        (JobStatus.COMPLETED, None),
        (JobStatus.FAILED, "SystemExit: 3"),
    ]


def test_the_error_line_stands_in_the_stage_and_task_that_it_came_from(recorded: Recording) -> None:
    with pytest.raises(ValueError, match="here"), jobtail.job("JB_1"), jobtail.stage("fetch"), jobtail.task("CNT_1"):
        fail("here")
    assert (recorded.line.stage, recorded.line.task_id) == ("fetch", "CNT_1")
    assert changes(recorded)[2:] == [("fetch", "CNT_1", TaskStatus.FAILED), ("fetch", "fetch", TaskStatus.FAILED)]
    assert recorded.of(TaskChanged)[-1].result == "ValueError: here"


def test_a_later_error_is_not_laid_to_a_stage_whose_error_was_handled(recorded: Recording) -> None:
    with contextlib.suppress(ValueError), jobtail.job("JB_1"):
        for _ in range(3):
            with contextlib.suppress(ValueError), jobtail.stage("fetch"):
                fail("handled")
        raise ValueError("later")  # often at the address of the one before
    assert (recorded.line.stage, recorded.line.task_id) == (None, None)


def test_an_error_that_was_handled_is_not_kept_alive(recorded: Recording) -> None:
    class Large(Exception):
        pass

    def attempt() -> weakref.ref[Large]:
        error = Large()
        with contextlib.suppress(Large), jobtail.stage("fetch"):
            raise error
        return weakref.ref(error)

    with jobtail.job("JB_1"):
        kept = attempt()
        gc.collect()
        assert kept() is None


def test_stages_and_tasks_hold_what_is_captured_within(recorded: Recording) -> None:
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("0")
        emitter.emit_stage("own", "1")
        with jobtail.stage("fetch", "begins"):
            emitter.emit_info("2")
            with jobtail.task("CNT_1", "contract one"):
                emitter.emit_info("3")
                emitter.emit_candidate_match(candidate_id="C_9", message="4")
                emitter.emit_error("other", "5")
                with jobtail.task("CNT_2"):
                    emitter.emit_info("6")
                emitter.emit_info("7")
                with jobtail.stage("deeper"):
                    emitter.emit_info("8")
            emitter.add_task("T_1")
            emitter.emit_info("9")
            emitter.emit_stage("said", "10")
            emitter.emit_info("11")
        emitter.emit_info("12")
        with jobtail.task("CNT_3"):
            emitter.emit_info("13")
    assert places(recorded) == [
        ("0", None, None),
        ("1", "own", None),
        ("begins", "fetch", None),
        ("2", "fetch", None),
        ("3", "fetch", "CNT_1"),
        ("4", "fetch", "C_9"),
        ("5", "other", None),
        ("6", "fetch", "CNT_2"),
        ("7", "fetch", "CNT_1"),
        ("8", "deeper", None),
        ("9", "fetch", "T_1"),
        ("10", "said", None),
        ("11", "fetch", "T_1"),
        ("12", "said", None),
        ("13", "said", "CNT_3"),
    ]
    running, completed = TaskStatus.RUNNING, TaskStatus.COMPLETED
    assert changes(recorded) == [
        ("fetch", "fetch", running),
        ("fetch", "CNT_1", running),
        ("fetch", "CNT_2", running),
        ("fetch", "CNT_2", completed),
        ("deeper", "deeper", running),
        ("deeper", "deeper", completed),
        ("fetch", "CNT_1", completed),
        ("fetch", "T_1", running),
        ("fetch", "fetch", completed),
        ("said", "CNT_3", running),
        ("said", "CNT_3", completed),
    ]
    assert recorded.of(TaskChanged)[1].name == "contract one"


def test_a_job_within_a_job_knows_its_parent_and_its_execution(recorded: Recording) -> None:
    with jobtail.job("JB_1", execution_id="EX_1", schedule_id="S_1") as outer, jobtail.stage("fetch"):
        with jobtail.job("JB_2") as inner:
            inner.emit_info("in")
            with jobtail.stage("inner"):
                outer.emit_info("said of the outer one")
            with jobtail.job("JB_3", parent_job_id="OTHER", execution_id="EX_2"):
                pass
        outer.emit_info("out")
    starts = [(s.job_id, s.parent_job_id, s.execution_id, s.schedule_id) for s in recorded.of(JobStarted)]
    assert starts == [("JB_1", None, "EX_1", "S_1"), ("JB_2", "JB_1", "EX_1", None), ("JB_3", "OTHER", "EX_2", None)]
    assert [(line.job_id, line.stage) for line in recorded.lines] == [("JB_2", None), ("JB_1", None), ("JB_1", "fetch")]


def test_a_job_of_a_schedule_is_an_execution_though_nobody_names_it(recorded: Recording) -> None:
    with jobtail.job("JB_1", schedule_id="nightly"), jobtail.job("JB_2"):
        pass
    with jobtail.job("JB_3", execution_id="EX_1"), jobtail.job("JB_4", schedule_id="nightly"):
        pass
    starts = [(start.job_id, start.execution_id) for start in recorded.of(JobStarted)]
    assert starts == [("JB_1", "JB_1"), ("JB_2", "JB_1"), ("JB_3", "EX_1"), ("JB_4", "JB_4")]


def test_outside_a_job_every_call_does_nothing(recorded: Recording) -> None:
    with jobtail.stage("fetch", "message"), jobtail.task("CNT_1"):
        assert jobtail.carry(lambda: 5)() == 5
        logging.getLogger("app").warning("nothing")
    assert current_job() is None
    assert recorded.events == []


def test_the_same_capture_cannot_be_entered_twice_at_once_but_again(recorded: Recording) -> None:
    capture = jobtail.job()
    with capture:
        first = capture.job_id
        with pytest.raises(RuntimeError, match="is open already"), capture:
            pass
    with capture:
        assert capture.job_id != first
    assert [finish.status for finish in recorded.of(JobFinished)] == [JobStatus.COMPLETED] * 2


def test_hooks_that_come_in_pairs_start_and_end_a_job_even_from_other_contexts(recorded: Recording) -> None:
    capture = jobtail.job("JB_1")

    async def run() -> None:
        await asyncio.create_task(asyncio.to_thread(capture.start))
        assert current_job() is None
        capture.fail(ValueError("no"))
        capture.fail(ValueError("again"))
        capture.finish(JobStatus.COMPLETED)

    asyncio.run(run())
    assert current_job() is None
    assert (finish_of(recorded).status, finish_of(recorded).error) == (JobStatus.FAILED, "ValueError: no")
    capture = jobtail.job("JB_2")
    emitter = capture.start()
    assert current_job() is capture
    emitter.emit_info("x")
    capture.finish(JobStatus.CANCELLED, error="revoked", result="r")
    assert current_job() is None
    assert recorded.of(JobFinished)[-1].error == "revoked"
    capture.start()
    capture.leave()
    assert current_job() is None
    assert len(recorded.of(JobFinished)) == 2


def test_a_decorated_function_is_a_job_a_call(recorded: Recording) -> None:
    @jobtail.job(job_id=lambda order, **_: f"JB_{order}", source="shop")
    def deliver(order: int, *, fast: bool = False) -> str:
        """Deliver."""
        job = current_job()
        assert job is not None
        job.say(f"{job.job_id} {fast}", LogLevel.DEBUG, {"k": 1})
        return f"delivered {order}"

    assert (deliver(7, fast=True), deliver(8)) == ("delivered 7", "delivered 8")
    assert (deliver.__name__, deliver.__doc__, list(inspect.signature(deliver).parameters)) == (
        "deliver",
        "Deliver.",
        ["order", "fast"],
    )
    assert [start.job_id for start in recorded.of(JobStarted)] == ["JB_7", "JB_8"]
    assert recorded.of(JobStarted)[0].handler_name.endswith("<locals>.deliver")
    assert recorded.messages == ["JB_7 True", "JB_8 False"]
    assert (recorded.lines[0].level, recorded.lines[0].metadata) == (LogLevel.DEBUG, {"k": 1})


async def test_a_decorated_coroutine_function_is_a_job_a_call(recorded: Recording) -> None:
    @jobtail.job(handler_name="deliver")
    async def deliver(order: int) -> int:
        async with jobtail.stage("pack"):
            await asyncio.sleep(0)
            job = current_job()
            assert job is not None
            job.say(str(order))
        return order

    assert inspect.iscoroutinefunction(deliver)
    assert await asyncio.gather(*(deliver(n) for n in range(5))) == [0, 1, 2, 3, 4]
    ids = {start.job_id for start in recorded.of(JobStarted)}
    assert len(ids) == 5
    assert {line.job_id for line in recorded.lines} == ids
    assert {line.stage for line in recorded.lines} == {"pack"}
    assert {start.parent_job_id for start in recorded.of(JobStarted)} == {None}


def test_a_job_id_function_that_fails_costs_the_name_and_not_the_call() -> None:
    with recording() as recorded:

        @jobtail.job(job_id=lambda: 1 // 0)
        def work() -> int:
            return 5

        assert work() == 5
        assert len(recorded.of(JobStarted)[0].job_id) == 36
        assert client.stats().faults == 1
        client.use(client.Client(RecordingSink()))


def test_what_cannot_be_decorated_is_refused_when_it_is_decorated() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def numbers_async() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, numbers_async):
        with pytest.raises(TypeError, match="yields, and a job is one call"):
            jobtail.job()(function)
    for other in (int, 5):
        with pytest.raises(TypeError, match="decorates a function"):
            jobtail.job()(other)  # type: ignore[type-var]


async def test_asyncio_tasks_each_see_their_own_stage_and_task(recorded: Recording) -> None:
    both_in = asyncio.Barrier(2)

    async def work(name: str) -> None:
        async with jobtail.task(name):
            await both_in.wait()
            job = current_job()
            assert job is not None
            job.say(name)

    async with jobtail.job("JB_1") as emitter, jobtail.stage("fetch"):
        await asyncio.gather(work("A"), work("B"))
        emitter.emit_info("after")
    assert sorted(places(recorded)) == [("A", "fetch", "A"), ("B", "fetch", "B"), ("after", "fetch", None)]


def test_threads_are_outside_the_job_unless_the_function_is_carried(recorded: Recording) -> None:
    meet = threading.Barrier(2)

    def work(name: str) -> str | None:
        job = current_job()
        with jobtail.task(name):
            meet.wait(LONG_S)
            if job is not None:
                job.say(name)
        return None if job is None else job.job_id

    with jobtail.job("JB_1"), jobtail.stage("fetch"), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, ["x", "y"])) == [None, None]
        assert list(pool.map(jobtail.carry(work), ["A", "B"])) == ["JB_1", "JB_1"]
    assert sorted(places(recorded)) == [("A", "fetch", "A"), ("B", "fetch", "B")]


def test_say_places_a_line_by_hand_too(recorded: Recording) -> None:
    with jobtail.job("JB_1") as emitter:
        job = current_job()
        assert job is not None
        emitter.emit_stage("read", "r")
        job.say("1")
        job.say("2", stage="other", task_id="T")
        jobtail.carry(lambda: job.say("3"))()
        thread = threading.Thread(target=job.say, args=("4",))
        thread.start()
        thread.join()
    assert places(recorded)[1:] == [("1", "read", None), ("2", "other", "T"), ("3", "read", None), ("4", "read", None)]


class Broken:
    """A writer that raises where it must not."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []

    def capture(self, event: Event) -> None:
        raise ZeroDivisionError("capture is broken")

    def report_fault(self, error: Exception) -> None:
        self.faults.append(error)


def test_no_fault_of_capture_reaches_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    monkeypatch.setattr(client, "writer", lambda: broken)
    with jobtail.job("JB_1") as emitter, jobtail.stage("fetch", "x"), jobtail.task("T"):
        emitter.emit_info("hello")
        jobtail.CaptureHandler().handle(logging.makeLogRecord({"msg": "x", "levelno": logging.INFO}))
    with pytest.raises(ValueError, match="own"), jobtail.job("JB_2"), jobtail.stage("fetch"):
        fail("own")
    assert len(broken.faults) >= 8
    assert all(isinstance(fault, ZeroDivisionError) for fault in broken.faults)
    assert current_job() is None


def test_without_a_url_capture_is_off_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("JOBTAIL_URL", raising=False)
    jobtail.configure()
    for _ in range(2):
        with jobtail.job("JB_1") as emitter, jobtail.stage("fetch"):
            emitter.emit_info("x")
    assert [record.message for record in caplog.records] == [
        "capture is off: call jobtail.configure(url=...) or set JOBTAIL_URL"
    ]
    assert jobtail.flush()
    assert jobtail.stats() == jobtail.Stats()
    client.use(None)


@pytest.mark.parametrize("url", ["localhost:8820", "ftp://x", "http://", "http://h:port", "http://h/?q=secret", "x"])
def test_a_bad_url_is_refused_in_the_set_up_and_only_warned_of_from_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match=r"write it like http://127\.0\.0\.1:8820") as raised:
        jobtail.configure(url)
    assert "secret" not in str(raised.value)
    monkeypatch.setenv("JOBTAIL_URL", url)
    client.use(None)
    for _ in range(2):
        with jobtail.job("JB_1") as emitter:
            emitter.emit_info("x")
    (record,) = caplog.records
    assert record.message.startswith("capture is off: ")
    client.use(None)


def test_a_job_that_is_open_outlives_a_new_configuration() -> None:
    first, second = RecordingSink(), RecordingSink()
    client.use(client.Client(first))
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("one")
        client.use(client.Client(second))
        assert first.is_closed
        emitter.emit_info("two")
    assert client.flush(LONG_S)
    client.use(None)
    assert [type(event) for event in first.events] == [JobStarted, Line]
    assert [type(event) for event in second.events] == [Line, JobFinished]


def test_a_job_of_a_command_that_jobtail_runs_is_a_child_of_its_job(
    recorded: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBTAIL_JOB_ID", "nightly")
    monkeypatch.setenv("JOBTAIL_EXECUTION_ID", "run-1")
    with jobtail.job("import"), jobtail.job("row"):
        pass
    starts = [(start.job_id, start.parent_job_id, start.execution_id) for start in recorded.of(JobStarted)]
    assert starts == [("import", "nightly", "run-1"), ("row", "import", "run-1")]


class Odd:
    """An exit code that nothing can be asked."""

    __hash__ = None  # type: ignore[assignment] # as a list has none

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (None, JobStatus.COMPLETED, None),
        (0, JobStatus.COMPLETED, None),
        (False, JobStatus.COMPLETED, None),
        (3, JobStatus.FAILED, "SystemExit: 3"),
        ("no input", JobStatus.FAILED, "SystemExit: no input"),
        ("", JobStatus.FAILED, "SystemExit"),
        (["row 7"], JobStatus.FAILED, "SystemExit: ['row 7']"),
        ({"failed": 3}, JobStatus.FAILED, "SystemExit: {'failed': 3}"),
        (0.0, JobStatus.FAILED, "SystemExit: 0.0"),
        (Odd(), JobStatus.FAILED, "SystemExit: <SystemExit that cannot be shown>"),
    ],
)
def test_a_job_ends_as_python_understands_its_exit(
    recorded: Recording, code: object, status: JobStatus, error: str | None
) -> None:
    with pytest.raises(SystemExit) as exit_info, jobtail.job("JB_1"):
        sys.exit(code)  # type: ignore[arg-type] # programs pass anything
    assert exit_info.value.code is code
    finish = finish_of(recorded)
    assert (finish.status, finish.error) == (status, error)
    assert current_job() is None


def test_the_end_of_the_process_is_told_once_and_not_again_by_the_job(recorded: Recording) -> None:
    job = jobtail.job("JB_1")
    job.start()
    job.tell_end(JobStatus.FAILED, "killed by SIGTERM")
    job.finish(JobStatus.COMPLETED)
    finish = finish_of(recorded)
    assert (finish.status, finish.error) == (JobStatus.FAILED, "killed by SIGTERM")
    job.start()
    job.finish(JobStatus.COMPLETED)
    assert [finish.status for finish in recorded.of(JobFinished)] == [JobStatus.FAILED, JobStatus.COMPLETED]


def behind(function: Any) -> Any:
    """Wrap a function as decorators of one's own do, which hides what kind it is."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def fail_later() -> None:
    say("at work")
    await asyncio.sleep(0)
    raise ValueError("no")


def say(message: str) -> None:
    job = current_job()
    assert job is not None
    job.say(message)


class Called:
    async def __call__(self) -> None:
        await fail_later()


ASYNCHRONOUS: dict[str, Any] = {
    "behind a wrapper": behind(fail_later),
    "behind two wrappers": behind(behind(fail_later)),
    "an object that is called": Called(),
    "a part of a function": functools.partial(fail_later),
    "a part of a wrapper": functools.partial(behind(fail_later)),
    "a lambda": lambda: fail_later(),  # noqa: PLW0108 - it hides what it calls
}


@pytest.mark.parametrize("function", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS)
def test_a_coroutine_runs_within_its_job_however_its_function_hides_it(recorded: Recording, function: Any) -> None:
    async def call() -> None:
        work = jobtail.job()(function)()
        assert current_job() is None, "the caller is in no job"
        await work

    with pytest.raises(ValueError, match="no"):
        asyncio.run(call())
    assert recorded.messages[0] == "at work"
    finish = finish_of(recorded)
    assert (finish.status, finish.error) == (JobStatus.FAILED, "ValueError: no")


def test_a_wrapped_coroutine_that_runs_elsewhere_is_in_its_job_there(recorded: Recording) -> None:
    @jobtail.job(job_id="JB_1")
    @behind
    async def work() -> str:
        say("one")
        await asyncio.sleep(0)
        say("two")
        return "done"

    async def main() -> Any:
        return await asyncio.gather(asyncio.create_task(work()), work())

    assert asyncio.run(main()) == ["done", "done"]
    assert sorted(recorded.messages) == ["one", "one", "two", "two"]
    assert [finish.status for finish in recorded.of(JobFinished)] == [JobStatus.COMPLETED] * 2


@pytest.mark.parametrize(
    ("ends_by", "status"),
    [
        (None, JobStatus.COMPLETED),
        (ValueError("no"), JobStatus.FAILED),
        (asyncio.CancelledError(), JobStatus.CANCELLED),
    ],
)
def test_a_task_that_a_call_gives_ends_its_job(
    recorded: Recording, ends_by: BaseException | None, status: JobStatus
) -> None:
    async def work() -> None:
        say("at work")
        await asyncio.sleep(0)
        if ends_by is not None:
            raise ends_by

    @jobtail.job(job_id="JB_1")
    def begin() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work())

    async def main() -> None:
        given = begin()
        assert isinstance(given, asyncio.Task)
        assert current_job() is None
        await asyncio.wait([given])
        with contextlib.suppress(ValueError, asyncio.CancelledError):
            given.result()

    asyncio.run(main())
    assert recorded.messages[0] == "at work"
    assert finish_of(recorded).status is status


def test_a_generator_behind_a_wrapper_is_given_and_its_job_says_that_it_cannot_follow(recorded: Recording) -> None:
    @jobtail.job()
    @behind
    def numbers() -> Iterator[int]:
        yield from range(3)

    assert list(numbers()) == [0, 1, 2]
    (line,) = recorded.lines
    assert line.level is LogLevel.ERROR
    assert finish_of(recorded).status is JobStatus.FAILED
    assert finish_of(recorded).error == line.message
    assert line.message.startswith("the call gave a generator")


def test_a_carried_coroutine_function_runs_in_the_job_that_it_was_carried_from(recorded: Recording) -> None:
    async def work(name: str) -> str:
        await asyncio.sleep(0)
        say(name)
        return name

    async def main() -> str:
        return await carried("x")

    with jobtail.job("JB_1"), jobtail.stage("fetch"):
        carried = jobtail.carry(work)
    assert asyncio.run(main()) == "x"
    assert places(recorded) == [("x", "fetch", None)]
