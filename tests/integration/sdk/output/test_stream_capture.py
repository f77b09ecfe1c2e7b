"""The output of a job and its children becomes its lines, and reaches the terminal as if we were not there."""

# ruff: noqa: T201 - printing is what is tested
from __future__ import annotations

import ast
import asyncio
import contextlib
import contextvars
import gc
import io
import logging
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jobtail
from jobtail import Line, client
from jobtail.masking.masker import masker
from jobtail.output.stream_capture import DRAIN_S, OutputCapture
from tests.conftest import ROOT
from tests.recording import LONG_S, Recording, RecordingSink, recording

PEM = ["-----BEGIN PRIVATE KEY-----", "MIIEpAIBAAKCAQEA" * 4, "c2hvcnQ=", "-----END PRIVATE KEY-----"]
PRELUDE = """
import os, subprocess, sys
import jobtail
from tests.recording import recording

def lines_of(recorded, job_id="JB_1"):
    return [(line.message, line.metadata["stream"]) for line in recorded.lines if line.job_id == job_id]
"""


@pytest.fixture
def recorded() -> Iterator[Recording]:
    with recording() as recorded:
        yield recorded


def said(recorded: Recording, job_id: str = "JB_1", stream: str | None = None) -> list[str]:
    return [
        line.message
        for line in recorded.lines
        if line.job_id == job_id and line.metadata is not None and stream in {None, line.metadata["stream"]}
    ]


def sh(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)


def python(program: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + program]
    return subprocess.run(command, cwd=ROOT, check=True, timeout=LONG_S, stdout=stdout, stderr=subprocess.PIPE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


# --- print


def test_each_printed_line_is_a_line_with_its_stream(recorded: Recording, capfd: pytest.CaptureFixture[str]) -> None:
    with jobtail.job("JB_1", capture_output=True):
        print("one\ntwo")
        print("oops", file=sys.stderr)
        print()
    facts = [(line.message, line.metadata, line.level) for line in recorded.lines]
    assert facts == [
        ("one", {"stream": "stdout"}, 20),
        ("two", {"stream": "stdout"}, 20),
        ("oops", {"stream": "stderr"}, 20),
        ("", {"stream": "stdout"}, 20),
    ]
    assert capfd.readouterr() == ("one\ntwo\n\n", "oops\n")


def test_a_line_of_several_prints_is_one_line_and_the_rest_comes_at_the_end(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        print("a", end="")
        print("oops ", end="", file=sys.stderr)
        print("b", "c", sep="", end="\r")
        print("d")
        sys.stdout.buffer.write("ü\nre".encode())
        sys.stdout.writelines(["st", " of it"])
    assert said(recorded, stream="stdout") == ["abc\rd", "ü", "rest of it"]
    assert said(recorded, stream="stderr") == ["oops "]


def test_without_the_option_nothing_is_captured(recorded: Recording) -> None:
    before = sys.stdout
    with jobtail.job("JB_1"):
        assert sys.stdout is before
        print("unheard")
        sh("echo unheard")
    assert recorded.lines == []


def test_a_print_belongs_to_the_job_of_its_context(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        print("outer")
        with jobtail.job("JB_2", capture_output=True):
            print("inner")
        with jobtail.job("JB_3"):
            print("nobody's")
        print("outer again")
    assert said(recorded) == ["outer", "outer again"]
    assert said(recorded, "JB_2") == ["inner"]
    assert said(recorded, "JB_3") == []


def test_a_print_belongs_to_its_stage_and_task(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        print("first")
        with jobtail.stage("fetch"):
            print("second")
            with jobtail.task("T_1"):
                print("third")
                print("the rest", end="")
    assert [(line.message, line.stage, line.task_id) for line in recorded.lines] == [
        ("first", None, None),
        ("second", "fetch", None),
        ("third", "fetch", "T_1"),
        ("the rest", "fetch", "T_1"),
    ]


async def test_tasks_of_asyncio_print_into_their_own_jobs(recorded: Recording) -> None:
    async def work(number: int) -> None:
        async with jobtail.job(f"JB_{number}", capture_output=True):
            for step in range(20):
                print(f"{number} {step}")
                await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(5)))
    for number in range(5):
        assert said(recorded, f"JB_{number}") == [f"{number} {step}" for step in range(20)]


def test_threads_print_whole_lines_into_the_job_that_they_carry(recorded: Recording) -> None:
    def work(number: int) -> None:
        for step in range(200):
            print(number, end=" ")
            print(step)

    with jobtail.job("JB_1", capture_output=True):
        threads = [threading.Thread(target=jobtail.carry(work), args=[number]) for number in range(4)]
        stranger = threading.Thread(target=print, args=["not of the job"])
        for thread in [*threads, stranger]:
            thread.start()
        for thread in [*threads, stranger]:
            thread.join()
    lines = said(recorded)
    assert sorted(lines) == sorted(f"{number} {step}" for number in range(4) for step in range(200))
    for number in range(4):
        assert [line for line in lines if line.startswith(f"{number} ")] == [f"{number} {step}" for step in range(200)]


def test_what_is_redirected_elsewhere_is_not_captured_and_comes_back(recorded: Recording) -> None:
    inside = io.StringIO()
    with jobtail.job("JB_1", capture_output=True):
        with contextlib.redirect_stdout(inside):
            print("aside")
        print("heard")
    assert inside.getvalue() == "aside\n"
    assert said(recorded) == ["heard"]


def test_a_job_within_a_redirection_is_heard_and_the_redirection_too(recorded: Recording) -> None:
    inside = io.StringIO()
    with contextlib.redirect_stdout(inside):
        with jobtail.job("JB_1", capture_output=True):
            print("both")
        assert sys.stdout is inside
        print("not the job")
    assert inside.getvalue() == "both\nnot the job\n"
    assert said(recorded) == ["both"]


def test_a_stream_that_somebody_kept_is_harmless_afterwards(
    recorded: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    with jobtail.job("JB_1", capture_output=True):
        kept = sys.stdout
    print("late", file=kept)
    sys.stdout = kept  # as the end of a redirection that lasted longer than the job
    with jobtail.job("JB_2", capture_output=True):
        print("second")
    assert capsys.readouterr().out == "late\nsecond\n"
    assert (said(recorded), said(recorded, "JB_2")) == ([], ["second"])


def test_capsys_reads_what_was_printed(recorded: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    with jobtail.job("JB_1", capture_output=True):
        print("heard")
        assert capsys.readouterr().out == "heard\n"
    assert said(recorded) == ["heard"]


def test_an_error_of_the_stream_reaches_the_job_as_ever_and_the_line_is_captured(recorded: Recording) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with contextlib.redirect_stdout(Broken()), jobtail.job("JB_1", capture_output=True):
        with pytest.raises(BrokenPipeError):
            sys.stdout.write("heard\n")
        with pytest.raises(BrokenPipeError):
            sys.stdout.write(5)  # type: ignore[arg-type] # what is no text is none of our business
    assert said(recorded) == ["heard"]


def test_a_job_that_prints_when_it_is_told_a_line_comes_to_an_end() -> None:
    class Echo:
        execution_id = None

        def __init__(self) -> None:
            self.said: list[str] = []

        def say(self, message: str, *args: Any, **kwargs: Any) -> None:
            self.said.append(message)
            print(f"said {message}")

    from jobtail.current import Place, enter, leave

    job = Echo()
    token = enter(Place(job, "J"))
    output = OutputCapture(job)
    output.start()
    print("x")
    output.stop()
    leave(token)
    assert job.said == ["x", "said x", "said said x"]


def test_a_job_that_cannot_say_harms_nobody(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Mute:
        job_id = "J"
        execution_id = None

        def here(self) -> tuple[None, None]:
            return None, None

        def say(self, *args: Any, **kwargs: Any) -> None:
            raise ZeroDivisionError

    from jobtail.current import Place, enter, leave

    job = Mute()
    token = enter(Place(job, "J"))
    try:
        output = OutputCapture(job)
        output.start()
        print("x", end="\ny")
        output.stop()
    finally:
        leave(token)
    assert capsys.readouterr().out == "x\ny"


# --- secrets


def test_a_secret_in_two_writes_is_masked() -> None:
    sink = RecordingSink()
    client.use(client.Client(sink, mask=masker.event))
    try:
        jobtail.mask("s3cr3t-of-two-writes")
        with jobtail.job("JB_1", capture_output=True):
            print("it is s3cr3t-of", end="")
            sys.stdout.flush()
            print("-two-writes, and password=hun", end="")
            sh("printf 'child s3cr3t-'; sleep 0.05; echo of-two-writes")
            print("ter2.")
        assert client.flush(LONG_S)
    finally:
        client.use(None)
    assert [event.message for event in sink.events if isinstance(event, Line)] == [
        "child ***",
        "it is ***, and password=***",
    ]


def test_a_private_key_over_several_lines_is_masked_in_prints_and_in_children(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        for line in PEM:
            print(line)
        sh("echo '" + "\n".join(PEM) + "' >&2")
    expected = [PEM[0], "***", "***", PEM[3]]
    assert said(recorded, stream="stdout") == expected
    assert said(recorded, stream="stderr") == expected


# --- child processes


def test_what_a_child_writes_becomes_lines_and_goes_on(recorded: Recording, capfd: pytest.CaptureFixture[str]) -> None:
    with jobtail.job("JB_1", capture_output=True):
        sh("printf 'one\\ntw'; printf 'o\\r\\nre'; echo oops >&2; printf st")
    assert said(recorded, stream="stdout") == ["one", "two", "rest"]
    assert said(recorded, stream="stderr") == ["oops"]
    assert capfd.readouterr() == ("one\ntwo\r\nrest", "oops\n")


def test_prints_and_children_keep_their_order(recorded: Recording, capfd: pytest.CaptureFixture[str]) -> None:
    expected = []
    with jobtail.job("JB_1", capture_output=True):
        for number in range(20):
            print(f"print {number}", flush=True)
            sh(f"echo child {number}")
            expected += [f"print {number}", f"child {number}"]
    assert said(recorded) == expected
    assert capfd.readouterr().out.splitlines() == expected


def test_binary_output_of_a_child_is_passed_on_unchanged(
    recorded: Recording, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with jobtail.job("JB_1", capture_output=True):
        sh(r"printf 'a\377\000\033[1mb\n'")
    assert said(recorded) == ["a\\xff\0\033[1mb"]
    assert capfdbinary.readouterr().out == b"a\xff\x00\x1b[1mb\n"


def test_much_output_of_a_child_is_whole(recorded: Recording) -> None:
    program = "for i in range(100_000): print(i, 'x' * 20)"
    with jobtail.job("JB_1", capture_output=True):
        subprocess.run([sys.executable, "-c", program], check=True)
    assert said(recorded) == [f"{number} {'x' * 20}" for number in range(100_000)]


def test_output_of_a_child_belongs_to_the_job_whose_capture_was_started_last(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        sh("echo outer")
        with jobtail.job("JB_2", capture_output=True):
            sh("echo inner")
        sh("echo outer again")
    assert said(recorded) == ["outer", "outer again"]
    assert said(recorded, "JB_2") == ["inner"]


def test_output_of_a_child_belongs_to_the_stage_that_the_job_is_in(recorded: Recording) -> None:
    with jobtail.job("JB_1", capture_output=True):
        with jobtail.stage("fetch"), jobtail.task("T_1"):
            sh("echo within")
        sh("echo after")
    assert [(line.message, line.stage, line.task_id) for line in recorded.lines] == [
        ("within", "fetch", "T_1"),
        ("after", None, None),
    ]


def test_jobs_may_end_in_any_order(recorded: Recording) -> None:
    first, second = jobtail.job("JB_1", capture_output=True), jobtail.job("JB_2", capture_output=True)
    contexts = contextvars.copy_context(), contextvars.copy_context()
    before = sys.stdout, os.fstat(1).st_ino
    contexts[0].run(first.start)
    contexts[1].run(second.start)
    contexts[0].run(first.finish, jobtail.JobStatus.COMPLETED)
    sh("echo still heard")
    contexts[1].run(second.finish, jobtail.JobStatus.COMPLETED)
    assert (said(recorded), said(recorded, "JB_2")) == ([], ["still heard"])
    assert (sys.stdout, os.fstat(1).st_ino) == before


def test_a_logger_that_holds_the_stream_is_not_heard_as_a_child() -> None:
    done = python("""
import logging
logging.basicConfig(format="%(message)s")
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        logging.warning("by a logger")
        print("by print", file=sys.__stderr__)
        print("by print", file=sys.__stdout__)
    print(lines_of(recorded))
""")
    assert done.stdout == b"by print\n[('by print', 'stderr'), ('by print', 'stdout')]\n"
    assert done.stderr == b"by a logger\nby print\n"


def test_a_daemon_that_holds_the_pipe_delays_nothing_and_its_output_still_arrives(
    recorded: Recording, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with jobtail.job("JB_1", capture_output=True):
        sh(f"echo now; (while [ ! -e {go} ]; do sleep 0.05; done; echo later) &")
        begun = time.monotonic()
    assert time.monotonic() - begun < DRAIN_S
    go.touch()
    heard: list[str] = []
    wait_until(lambda: heard.append(capfd.readouterr().out) or "later" in "".join(heard))  # type: ignore[func-returns-value] # None goes on to the search
    assert "".join(heard) == "now\nlater\n"
    assert said(recorded) == ["now"]


def test_a_child_that_never_stops_writing_neither_keeps_the_job_nor_fills_the_memory(recorded: Recording) -> None:
    printed = threading.Event()
    with jobtail.job("JB_1", capture_output=True):
        child = subprocess.Popen(["yes", "x" * 1000])
        for _ in range(100):
            print("meanwhile")
            printed.wait(0.002)
        begun = time.monotonic()
    assert time.monotonic() - begun < DRAIN_S
    child.kill()
    child.wait()
    lines = said(recorded)
    assert lines.count("meanwhile") == 100
    assert "x" * 1000 in lines


def test_neither_descriptors_nor_threads_are_left(recorded: Recording) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with jobtail.job("JB_0", capture_output=True):
        sh("echo warm")
    gc.collect()
    wait_until(lambda: not [each for each in threading.enumerate() if each.name.startswith("jobtail-output")])
    before = open_descriptors()
    for number in range(20):
        with jobtail.job(f"JB_{number}", capture_output=True):
            sh("echo x")
    wait_until(lambda: not [each for each in threading.enumerate() if each.name.startswith("jobtail-output")])
    assert open_descriptors() == before


def test_a_child_is_given_the_pipe_as_sys_stdout(recorded: Recording) -> None:
    done = python("""
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        subprocess.run(["echo", "heard"], stdout=sys.stdout)
    print(lines_of(recorded))
""")
    assert done.stdout == b"heard\n[('heard', 'stdout')]\n"


# --- processes of all kinds

FORKS = """
import multiprocessing, atexit
def work():
    print("multiprocessing")
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        print("parent", flush=True)
        child = os.fork()
        if not child:
            print("forked", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join()
        print("parent again")
    print(lines_of(recorded))
"""


def test_forked_processes_are_captured_as_children_and_print_once() -> None:
    done = python(FORKS)
    *lines, report = done.stdout.decode().splitlines()
    assert lines == ["parent", "forked", "multiprocessing", "parent again"]
    assert report == str([(line, "stdout") for line in lines])


SAME = """
import contextlib
capture = sys.argv[-1] == "capture"
with recording() as recorded, jobtail.job("JB_1", capture_output=capture):
    print("one")
    print("a", end=" ")
    sys.stdout.flush()
    subprocess.run(["echo", "child"])
    print("ü", file=sys.stderr)
    sys.stdout.buffer.write(b"bytes\\n")
    sys.__stdout__.write("underscore\\n")
    print(sys.stdout.encoding, sys.stdout.errors, sys.stdout.isatty(), sys.stdout.line_buffering, sys.stdout.name, sys.stdout.mode)
    sys.stdout.flush()
print("end")
"""


def run_same(mode: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", PRELUDE + SAME, mode], cwd=ROOT, check=True, timeout=LONG_S, **options
    )


def test_a_file_receives_the_same_as_without_capture(tmp_path: Path) -> None:
    received = []
    for mode in ("plain", "capture"):
        path = tmp_path / mode
        path.write_text("before\n")
        with path.open("a") as file:
            run_same(mode, stdout=file, stderr=file)
        received.append(path.read_text())
    assert received[0] == received[1]
    assert received[0].startswith("before\n")


def test_a_terminal_receives_the_same_as_without_capture() -> None:
    received = []
    for mode in ("plain", "capture"):
        controller, terminal = pty.openpty()
        run_same(mode, stdout=terminal, stderr=terminal)
        os.close(terminal)
        received.append(os.read(controller, 10_000))
        os.close(controller)
    assert received[0] == received[1]
    assert b"True" in received[1]


@pytest.mark.parametrize("closed", [[1], [2], [1, 2], [0, 1, 2]])
def test_closed_descriptors_harm_nothing(closed: list[int], tmp_path: Path) -> None:
    report = tmp_path / "report"
    program = f"""
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        print("out")
        if sys.stderr is not None:
            print("err", file=sys.stderr)
        subprocess.run(["true"])
    open({str(report)!r}, "w").write(repr(lines_of(recorded)))
"""
    command = [sys.executable, "-c", PRELUDE + program]
    redirections = " ".join(f"{number}>&-" for number in closed)
    subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command],
        cwd=ROOT,
        check=True,
        timeout=LONG_S,
        capture_output=True,
    )
    expected = [("out", "stdout")] * (1 not in closed) + [("err", "stderr")] * (2 not in closed)
    assert report.read_text() == repr(expected)


def test_streams_that_are_none_harm_nothing() -> None:
    done = python("""
sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        print("nowhere")
        subprocess.run(["echo", "child"])
    os.write(1, repr(lines_of(recorded)).encode())
""")
    assert done.stdout == b"child\n[('child', 'stdout')]"


def test_a_reader_that_went_away_is_noticed_as_ever() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = python(
        """
with recording() as recorded:
    with jobtail.job("JB_1", capture_output=True):
        try:
            print("x\\n", end="", flush=True)
        except BrokenPipeError:
            print("broken", file=sys.stderr)
        subprocess.run(["echo", "child"])
    print(lines_of(recorded), file=sys.stderr)
    sys.stdout = None
    os._exit(0)
""",
        stdout=writing,
    )
    os.close(writing)
    assert done.stderr == b"broken\n[('x', 'stdout'), ('broken', 'stderr'), ('child', 'stdout')]\n"


def test_a_process_that_ends_within_a_job_says_all_of_it() -> None:
    done = python("""
import atexit

def report():
    lines = [event for event in recorded.sink.events if isinstance(event, jobtail.Line)]
    os.write(1, repr([(line.message, line.metadata["stream"]) for line in lines]).encode())

atexit.register(report)
recorder = recording()
recorded = recorder.__enter__()
jobtail.job("JB_1", capture_output=True).start()
print("print", flush=True)
subprocess.run(["printf", "child"])
print("rest", end="", flush=True)
""")
    printed, report = done.stdout.split(b"[", 1)
    assert printed == b"print\nchildrest"
    assert sorted(ast.literal_eval(f"[{report.decode()}")) == [(line, "stdout") for line in ("child", "print", "rest")]


def test_a_line_of_a_print_costs_little(recorded: Recording) -> None:
    logging.getLogger("jobtail").debug("warm")
    with contextlib.redirect_stdout(io.StringIO()), jobtail.job("JB_1", capture_output=True):
        begun = time.perf_counter()
        for _ in range(2000):
            print("an ordinary line of a job that says what it does")
        cost_us = (time.perf_counter() - begun) * 1e6 / 2000
    assert cost_us < 500
